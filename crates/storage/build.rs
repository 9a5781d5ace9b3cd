//! Builds again when a migration is added: the compiler sees changes of embedded files, not new ones.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
