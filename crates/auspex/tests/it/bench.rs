//! A home of its own for each test, and the binary to drive it with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A fresh folder with a home in it that the first command makes.
pub(crate) struct Bench {
    folder: TempDir,
    /// Whether the sources that its settings name are asked; none by default, for no test may ask a vendor.
    follows: bool,
}

/// What a command gave.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), follows: false }
    }

    /// One whose settings name only sources on this machine.
    pub(crate) fn following() -> Self {
        Self { follows: true, ..Self::new() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// Writes a file and gives its path as text.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The binary with nothing of the caller's environment that it would listen to.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_auspex"));
        command.env_clear().current_dir(self.folder.path()).env("AUSPEX_HOME", self.home());
        for name in ["PATH", "TMPDIR", "RAYON_NUM_THREADS"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        if !self.follows {
            command.env("AUSPEX__SOURCES__ENABLED", "");
        }
        command.args(args).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().unwrap())
    }

    /// Runs what must succeed and gives its JSON.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let ran = self.run(args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}: {}", ran.stdout))
    }

    /// Starts what will be ended by someone else.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.home().join("auspex.db")
    }

    /// Runs SQL on the home's database, as nobody should.
    pub(crate) fn sql(&self, statement: &str) {
        block_on(async {
            let mut connection = connect(&self.database()).await.unwrap();
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
        });
    }

    /// One number out of the home's database; `None` while there is nothing to ask.
    pub(crate) fn count(&self, query: &'static str) -> Option<i64> {
        if !self.database().exists() {
            return None;
        }
        block_on(async {
            let mut connection = connect(&self.database()).await.ok()?;
            sqlx::query_scalar(query).fetch_one(&mut connection).await.ok()
        })
    }
}

async fn connect(path: &Path) -> sqlx::Result<sqlx::SqliteConnection> {
    use sqlx::ConnectOptions as _;
    sqlx::sqlite::SqliteConnectOptions::new().filename(path).connect().await
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}
