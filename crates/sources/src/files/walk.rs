//! From the paths a person names to the files that will be read.

use std::path::{Path, PathBuf};

use market::Symbol;

use crate::Error;

/// How a file's rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated text with a header line.
    Csv,
    /// The same, gzipped.
    CsvGz,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    fn of(path: &Path) -> Option<Self> {
        // A name need not be UTF-8; its ending is.
        let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
        [Self::Csv, Self::CsvGz, Self::Parquet].into_iter().find(|format| name.ends_with(format.extension()))
    }

    const fn extension(self) -> &'static str {
        match self {
            Self::Csv => ".csv",
            Self::CsvGz => ".csv.gz",
            Self::Parquet => ".parquet",
        }
    }
}

/// One file to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Where it is.
    pub path: PathBuf,
    /// What its name says it is.
    pub format: Format,
    /// Its size on disk.
    pub size_bytes: u64,
}

impl DataFile {
    /// The file at `path`, its format told by its name.
    ///
    /// # Errors
    /// When it is not there or its extension is unknown.
    pub fn at(path: &Path) -> Result<Self, Error> {
        let Some(format) = Format::of(path) else {
            let extension = path.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
            return Err(Error::UnknownExtension { path: path.to_owned(), extension });
        };
        let size_bytes = std::fs::metadata(path).map_err(|cause| Error::Open { path: path.to_owned(), cause })?.len();
        Ok(Self { path: path.to_owned(), format, size_bytes })
    }

    /// The symbol its name is, extension aside; `None` when that is none.
    pub(super) fn symbol(&self) -> Option<Symbol> {
        let name = self.path.file_name()?.to_str()?;
        name[..name.len() - self.format.extension().len()].parse().ok()
    }
}

/// The files that `paths` name: a file stands for itself, a folder for every `.csv`, `.csv.gz` and `.parquet` file in it
/// and its folders, sorted by path. Folders are not followed through symbolic links.
///
/// # Errors
/// When a path cannot be read, a named file has another extension, or a folder holds nothing to import.
pub fn find<P: AsRef<Path>>(paths: &[P]) -> Result<Vec<DataFile>, Error> {
    let mut files = Vec::new();
    for path in paths {
        let path = path.as_ref();
        let metadata = std::fs::metadata(path).map_err(|cause| Error::Open { path: path.to_owned(), cause })?;
        if !metadata.is_dir() {
            files.push(DataFile::at(path)?);
            continue;
        }
        let before = files.len();
        walk(path, &mut files)?;
        if files.len() == before {
            return Err(Error::EmptyFolder { path: path.to_owned() });
        }
    }
    Ok(files)
}

fn walk(folder: &Path, files: &mut Vec<DataFile>) -> Result<(), Error> {
    let failed = |cause| Error::Open { path: folder.to_owned(), cause };
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        entries.push((entry.path(), entry.file_type().map_err(failed)?));
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    for (path, kind) in entries {
        if kind.is_dir() {
            walk(&path, files)?;
        } else if Format::of(&path).is_some() && path.is_file() {
            files.push(DataFile::at(&path)?);
        }
    }
    Ok(())
}
