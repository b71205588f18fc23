//! The file of the durable fallback: sessions by id, in an embedded store whose commits are on disk when they return.

use std::fs::{File, Metadata, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use redb::backends::FileBackend;
use redb::{
    Builder, Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, StorageError,
    TableDefinition, TableHandle as _,
};
use thiserror::Error;

use crate::core::sessions::DiskChange;

/// Why the file of the durable fallback cannot be used.
#[derive(Debug, Error)]
pub enum DiskError {
    /// Somebody else has it open.
    #[error("{path} is in use: each instance needs a file of its own", path = .0.display())]
    InUse(PathBuf),
    /// It cannot be created or opened.
    #[error("cannot open {path}: {why}", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// It is another kind of file, or damaged.
    #[error("{path} is no file of this client's sessions, or damaged ({why}); move it away to start without it", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It was removed, or another one put in its place, while it was in use.
    #[error("{path} was removed or replaced while it was in use; restart to keep sessions on disk again", path = .0.display())]
    Gone(PathBuf),
    /// It cannot be written or read.
    #[error("cannot write {path}: {why}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
}

/// The open file. Others are kept out of it.
pub(crate) struct DiskFile {
    path: PathBuf,
    /// None after an error: only opening it again tells what it holds.
    database: Option<Database>,
    /// What the path named when it was opened. While it is held, no other file has its number.
    held: File,
}

impl DiskFile {
    /// Opens the file, or makes it, readable by its owner only.
    pub(crate) fn open(path: &Path) -> Result<Self, DiskError> {
        let database = open(path)?;
        check_is_ours(path, &database)?;
        let held = File::open(path);
        let held = held.map_err(|why| DiskError::Open { path: path.to_owned(), why: why.to_string() })?;
        Ok(Self { path: path.to_owned(), database: Some(database), held })
    }

    /// All that lies in it: ids and bytes.
    pub(crate) fn read(&self) -> Result<Vec<(String, Bytes)>, DiskError> {
        let Some(database) = &self.database else { return Ok(Vec::new()) };
        read(database).map_err(|why| self.write_error(why))
    }

    /// Makes these changes, all or none. They are on disk when it returns.
    pub(crate) fn commit<'a>(
        &mut self,
        changes: impl IntoIterator<Item = (&'a Arc<str>, &'a DiskChange)>,
    ) -> Result<(), DiskError> {
        let database = match self.database.take() {
            Some(database) => database,
            None => {
                self.check_is_there()?;
                open(&self.path)?
            }
        };
        let written = commit(&database, changes).map_err(|why| self.write_error(why));
        self.check_is_there()?;
        written?;
        self.database = Some(database);
        Ok(())
    }

    /// Whether the path still names the file: nobody finds again what is written to one that was removed. Another one in its
    /// place would lack what was written before.
    fn check_is_there(&self) -> Result<(), DiskError> {
        let (there, held) = (std::fs::metadata(&self.path), self.held.metadata());
        match (there, held) {
            (Ok(there), Ok(held)) if same(&there, &held) => Ok(()),
            _ => Err(DiskError::Gone(self.path.clone())),
        }
    }

    /// As after an error.
    #[cfg(test)]
    pub(crate) fn forget(&mut self) {
        self.database = None;
    }

    fn write_error(&self, why: redb::Error) -> DiskError {
        let path = self.path.clone();
        match why {
            redb::Error::Corrupted(why) => DiskError::Damaged { path, why },
            why => DiskError::Write { path, why: why.to_string() },
        }
    }
}

#[cfg(unix)]
fn same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn same(_: &Metadata, _: &Metadata) -> bool {
    true
}

fn open(path: &Path) -> Result<Database, DiskError> {
    let failed = |why: std::io::Error| DiskError::Open { path: path.to_owned(), why: why.to_string() };
    let file = create(path).map_err(failed)?;
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
    let opened = FileBackend::new(file).and_then(|file| builder.create_with_backend(file));
    opened.map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => DiskError::InUse(path.to_owned()),
        DatabaseError::Storage(StorageError::Io(why)) if why.kind() != std::io::ErrorKind::InvalidData => {
            failed(why)
        }
        why => DiskError::Damaged { path: path.to_owned(), why: why.to_string() },
    })
}

/// A store of this kind may be another program's, or that of a later version of this client.
fn check_is_ours(path: &Path, database: &Database) -> Result<(), DiskError> {
    let damaged = |why: String| DiskError::Damaged { path: path.to_owned(), why };
    let reading = database.begin_read().map_err(|why| damaged(why.to_string()))?;
    for table in reading.list_tables().map_err(|why| damaged(why.to_string()))? {
        let name = table.name();
        if name != SESSIONS.name() {
            let who = if name.starts_with("squall-sessions-") { "version of this client" } else { "program" };
            return Err(damaged(format!("another {who} wrote it, in {name:?}")));
        }
    }
    Ok(())
}

fn create(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    // So that the file itself is there after a power cut.
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        File::open(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?.sync_all()?;
    }
    Ok(file)
}

fn read(database: &Database) -> Result<Vec<(String, Bytes)>, redb::Error> {
    let table = match database.begin_read()?.open_table(SESSIONS) {
        Ok(table) => table,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let rows = table.iter()?.map(|row| {
        let (id, bytes) = row?;
        Ok((id.value().to_owned(), Bytes::copy_from_slice(bytes.value())))
    });
    rows.collect()
}

fn commit<'a>(
    database: &Database,
    changes: impl IntoIterator<Item = (&'a Arc<str>, &'a DiskChange)>,
) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(SESSIONS)?;
        for (id, change) in changes {
            match change {
                DiskChange::Put(bytes) => table.insert(&**id, &bytes[..])?,
                DiskChange::Remove => table.remove(&**id)?,
            };
        }
    }
    transaction.commit()?;
    Ok(())
}

const SESSIONS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("squall-sessions-1");
const CACHE_BYTES: usize = 8 << 20;
