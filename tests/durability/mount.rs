//! Disks of our own: small ones, and ones whose power can be cut. They need root; without it the tests that use them say
//! so and are counted as skipped.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

pub(crate) struct Mount {
    dir: TempDir,
    image: Option<PathBuf>,
}

impl Mount {
    /// A disk in memory of `size` (as `mount` takes it).
    pub(crate) fn in_memory(size: &str) -> Result<Self, String> {
        let mount = Self { dir: TempDir::new().unwrap(), image: None };
        std::fs::create_dir(mount.path()).unwrap();
        run("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "none"], &mount.path())?;
        Ok(mount)
    }

    /// An ext4 disk in a file.
    pub(crate) fn ext4(size: u64) -> Result<Self, String> {
        let dir = TempDir::new().unwrap();
        let image = dir.path().join("image");
        std::fs::File::create(&image).unwrap().set_len(size).unwrap();
        run("mkfs.ext4", &["-q"], &image)?;
        let mount = Self { dir, image: Some(image) };
        std::fs::create_dir(mount.path()).unwrap();
        mount.attach()?;
        Ok(mount)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("disk")
    }

    /// From here on nothing reaches the disk any more: what was not flushed is lost, as when the plug is pulled.
    pub(crate) fn cut_power(&self) {
        let shut_down = "import fcntl, os, struct, sys\n\
            fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))";
        run("python3", &["-c", shut_down], &self.path()).unwrap();
    }

    /// Turns the power on again.
    pub(crate) fn power_on(&self) {
        run("umount", &[], &self.path()).unwrap();
        self.attach().unwrap();
    }

    fn attach(&self) -> Result<(), String> {
        let image = self.image.as_ref().unwrap().to_str().unwrap();
        run("mount", &["-o", "loop", image], &self.path())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _not_mounted = run("umount", &["-l"], &self.path());
    }
}

fn run(program: &str, arguments: &[&str], path: &Path) -> Result<(), String> {
    let output = Command::new(program)
        .args(arguments)
        .arg(path)
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
