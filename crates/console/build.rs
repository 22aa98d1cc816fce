//! Embeds the built page (`web/dist`) into the program, if it is there.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

fn main() -> io::Result<()> {
    let crate_folder = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let dist = crate_folder.join("../../web/dist");
    // Cargo runs this again at every build while a watched path is missing; an empty folder is as good as none.
    if !dist.exists() && fs::create_dir_all(&dist).is_err() {
        println!("cargo:warning=web/dist cannot be created; the program is built without its page");
    }
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={}", dist.display());

    let mut files = Vec::new();
    if dist.join("index.html").is_file() {
        collect(&dist, &mut files)?;
        files.sort();
    }
    let mut code = String::from("static ASSETS: &[Asset] = &[\n");
    for file in files.iter().filter(|file| file.extension().is_none_or(|extension| extension != "gz")) {
        code.push_str(&entry(&dist, file)?);
    }
    code.push_str("];\n");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("assets.rs"), code)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        // Marks of build tools are not part of the page.
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() { collect(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

fn entry(dist: &Path, file: &Path) -> io::Result<String> {
    let bytes = fs::read(file)?;
    let relative = file.strip_prefix(dist).unwrap_or(file).to_string_lossy().replace('\\', "/");
    let file = fs::canonicalize(file)?;
    let gzip = PathBuf::from(format!("{}.gz", file.display()));
    let gzip = if gzip.is_file() {
        format!("Some(include_bytes!({:?}))", gzip.display().to_string())
    } else {
        "None".to_owned()
    };
    let mut text = String::new();
    writeln!(
        text,
        "    Asset {{ path: {:?}, content_type: {:?}, etag: {:?}, bytes: include_bytes!({:?}), gzip: {gzip} }},",
        format!("/{relative}"),
        content_type(&relative),
        format!("\"{:016x}-{:x}\"", fnv1a(&bytes), bytes.len()),
        file.display().to_string(),
    )
    .map_err(io::Error::other)?;
    Ok(text)
}

/// FNV-1a, 64 bits: enough to tell one build's file from another's.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    }
}
