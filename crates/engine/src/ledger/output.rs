//! Files that are there in whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file being written: a reader sees all of it or the file before. What is not [finished](Output::finish) leaves
/// nothing behind.
///
/// A link is followed, and a file that is there keeps its permissions. What is no regular file (a device, a pipe) is
/// never replaced but written into.
#[derive(Debug)]
pub struct Output {
    file: BufWriter<File>,
    /// Where it is written, and where it goes then.
    part: Option<(PathBuf, PathBuf)>,
}

impl Output {
    /// Begins a file at `path`.
    ///
    /// # Errors
    /// When `path` is a folder, or nothing can be written there.
    pub fn create(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(there) if there.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(there) if there.is_file() => {
                let output = Self::beside(fs::canonicalize(path)?)?;
                output.file.get_ref().set_permissions(there.permissions())?;
                Ok(output)
            }
            Ok(_) => Ok(Self::direct(OpenOptions::new().write(true).open(path)?)),
            // A link to what is not there yet.
            Err(_) if path.is_symlink() => Ok(Self::direct(File::create(path)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::beside(path.to_owned()),
            Err(error) => Err(error),
        }
    }

    fn direct(file: File) -> Self {
        Self { file: BufWriter::new(file), part: None }
    }

    fn beside(path: PathBuf) -> io::Result<Self> {
        let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        // A name of its own: two that write the same file must not take each other's part for theirs.
        name.push(format!(".{}.part", std::process::id()));
        let part = path.with_file_name(name);
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&part)?;
        Ok(Self { file: BufWriter::new(file), part: Some((part, path)) })
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// When the last bytes cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.flush()?;
        if let Some((part, path)) = &self.part {
            self.file.get_ref().sync_all()?;
            fs::rename(part, path)?;
            self.part = None;
        }
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some((part, _)) = &self.part {
            // It was given up already: that it cannot be removed is the lesser trouble.
            let _ = fs::remove_file(part);
        }
    }
}
