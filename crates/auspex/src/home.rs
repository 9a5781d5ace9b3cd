//! The folder that holds all state.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use directories::ProjectDirs;

use crate::cli::usage;

/// The folder that holds all state: the database, settings, quarantine reports.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    path: PathBuf,
    /// Whether it was asked for, and is not the platform's.
    is_chosen: bool,
}

/// Held by whoever writes forecasts into this home: two such processes would issue every forecast twice.
#[derive(Debug)]
pub(crate) struct HomeLock {
    /// The lock ends with the file.
    _file: File,
}

impl Home {
    /// The folder that was asked for, or the platform's data folder; not yet created.
    pub(crate) fn new(asked: Option<PathBuf>) -> anyhow::Result<Self> {
        match asked {
            Some(path) if path.as_os_str().is_empty() => usage("--home (AUSPEX_HOME) is empty: a folder is expected"),
            Some(path) => Ok(Self { path, is_chosen: true }),
            None => match ProjectDirs::from("", "", "auspex") {
                Some(dirs) => Ok(Self { path: dirs.data_dir().to_owned(), is_chosen: false }),
                None => usage("this platform has no data folder: say where with --home DIR"),
            },
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether someone asked for this folder.
    pub(crate) fn is_chosen(&self) -> bool {
        self.is_chosen
    }

    pub(crate) fn settings_path(&self) -> PathBuf {
        self.path.join("auspex.toml")
    }

    pub(crate) fn database_path(&self) -> PathBuf {
        self.path.join("auspex.db")
    }

    pub(crate) fn quarantine_path(&self) -> PathBuf {
        self.path.join("quarantine")
    }

    /// Makes the folder.
    pub(crate) fn create(&self) -> anyhow::Result<()> {
        fs::create_dir_all(&self.path)
            .with_context(|| format!("failed to create the home folder {}", self.path.display()))
    }

    /// Takes the home for writing forecasts.
    pub(crate) fn lock(&self) -> anyhow::Result<HomeLock> {
        self.create()?;
        let path = self.path.join("lock");
        let failed = || format!("failed to lock {}", path.display());
        let file = File::options().create(true).truncate(false).write(true).open(&path).with_context(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(HomeLock { _file: file }),
            Err(TryLockError::WouldBlock) => bail!(
                "another auspex process writes forecasts to {}: stop it, or use another --home",
                self.path.display()
            ),
            // Some network file systems know no locks; the database's own still hold.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                tracing::warn!("{} cannot be locked: run only one auspex on it", path.display());
                Ok(HomeLock { _file: file })
            }
            Err(TryLockError::Error(error)) => Err(error).with_context(failed),
        }
    }
}
