//! What Cargo.toml has no words for.

#[expect(clippy::disallowed_methods, reason = "Cargo says it so")]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |what: &str| std::env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    // Packed relocations are read as one page instead of seven. glibc would have to be a new one for it.
    if target("OS") == "linux" && target("ENV") == "musl" {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
