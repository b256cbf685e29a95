use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use flate2::{Compression, GzBuilder};

use super::{BuildError, Recipe, add_manifest};
use crate::elf::{Closure, ElfFacts, Item, SystemRoot};
use crate::image::{Image, Node};
use crate::io::{Context, read};
use crate::licenses::copyrights;
use crate::modules::{Kernel, Modules, index_files};
use crate::package::{PackageError, Tree};

/// Folders that are there before anything is mounted, with their permission bits.
const FOLDERS: [(&str, u32); 9] = [
    ("bin", 0o755),
    ("dev", 0o755),
    ("etc", 0o755),
    ("mnt", 0o755),
    ("proc", 0o555),
    ("run", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("usr/share/preflight", 0o755),
];

/// Devices that init needs before devtmpfs is mounted: the kernel opens the console for it, and a
/// panic must reach the log. Numbers of the kernel's devices.txt.
const DEVICES: [(&str, u32, u32); 3] = [
    ("dev/console", 5, 1),
    ("dev/null", 1, 3),
    ("dev/kmsg", 1, 11),
];

const LICENSES: &str = "usr/share/preflight/licenses";
const BUSYBOX_PLACES: [&str; 2] = ["usr/bin/busybox", "bin/busybox"];

/// An image in the making.
pub(super) struct Content {
    image: Image,
}

impl Content {
    pub(super) fn collect(
        recipe: &Recipe,
        kernel: &Kernel,
        modules: &Modules,
    ) -> Result<Image, BuildError> {
        let mut content = Self {
            image: Image::default(),
        };
        content.add_skeleton()?;
        content.add_init(&recipe.init)?;
        content.add_modules(kernel, modules)?;
        content.add_licenses_of(kernel.tree())?;
        if let Some(path) = &recipe.pci_ids {
            content.add_device_names(path)?;
        }
        if let Some(path) = &recipe.busybox {
            content.add_busybox(path)?;
        }
        content.add_programs(recipe)?;
        add_manifest(&mut content.image, kernel, modules)?;
        Ok(content.image)
    }

    fn add_skeleton(&mut self) -> Result<(), BuildError> {
        for (path, mode) in FOLDERS {
            self.image.add(path, Node::Folder(mode), "skeleton")?;
        }
        for (path, major, minor) in DEVICES {
            self.image
                .add(path, Node::Device { major, minor }, "skeleton")?;
        }
        Ok(())
    }

    fn add_init(&mut self, path: &Path) -> Result<(), BuildError> {
        let program = read(path)?;
        must_be_static(path, &program, "init")?;
        Ok(self.image.add_program("init", program, "preflight")?)
    }

    fn add_modules(&mut self, kernel: &Kernel, modules: &Modules) -> Result<(), BuildError> {
        let folder = format!("lib/modules/{}", kernel.release());
        for (_, module) in modules.iter() {
            let path = format!("{folder}/{}", module.path);
            let reason = format!("modules: {}", module.group);
            self.image
                .add_file(&path, module.content.clone(), &reason)?;
        }
        for (name, text) in index_files(kernel, modules)? {
            let path = format!("{folder}/{name}");
            self.image.add_file(&path, text, "modules: index files")?;
        }
        Ok(())
    }

    /// The copyright files in a package or an unpacked one.
    fn add_licenses_of(&mut self, tree: &Tree) -> Result<(), BuildError> {
        // A whole running system is no package: its thousand copyright files say nothing here.
        if tree.origin() == Path::new("/") {
            return Ok(());
        }
        for file in tree.files_below("usr/share/doc")? {
            let Some(package) = file
                .strip_prefix("usr/share/doc/")
                .and_then(|rest| rest.strip_suffix("/copyright"))
            else {
                continue;
            };
            self.add_license(package, tree.read(&file)?)?;
        }
        Ok(())
    }

    fn add_license(&mut self, package: &str, text: Vec<u8>) -> Result<(), BuildError> {
        let path = format!("{LICENSES}/{package}");
        Ok(self.image.add_file(&path, text, "licences")?)
    }

    fn add_device_names(&mut self, path: &Path) -> Result<(), BuildError> {
        let mut encoder = GzBuilder::new()
            .mtime(0)
            .write(Vec::new(), Compression::best());
        encoder.write_all(&read(path)?).at("compress", path)?;
        let compressed = encoder.finish().at("compress", path)?;
        let place = "usr/share/preflight/pci.ids.gz";
        self.image.add_file(place, compressed, "device names")?;
        self.add_licenses_of_files(&SystemRoot::new(Path::new("/")), [&*path.to_string_lossy()])
    }

    fn add_busybox(&mut self, path: &Path) -> Result<(), BuildError> {
        let program = if path.extension().is_some_and(|end| end == "deb") {
            let tree = Tree::open(path)?;
            self.add_licenses_of(&tree)?;
            busybox_of(&tree)?
        } else {
            read(path)?
        };
        must_be_static(path, &program, "busybox")?;
        Ok(self.image.add_program("bin/busybox", program, "busybox")?)
    }

    fn add_programs(&mut self, recipe: &Recipe) -> Result<(), BuildError> {
        let root = SystemRoot::new(&recipe.system);
        let mut closure = Closure::new(&root);
        for binary in &recipe.binaries {
            closure.add(&binary.path, binary.destination.as_deref())?;
        }
        self.add_items(&root, closure.into_items(), "added programs")?;
        let root = SystemRoot::new(recipe.tools_system.as_deref().unwrap_or(&recipe.system));
        for tool in recipe.tools()? {
            let mut closure = Closure::new(&root);
            let programs = tool.programs_in(&root)?;
            for path in &programs {
                closure.add(path, None)?;
            }
            let reason = format!("tool: {}", tool.name);
            self.add_items(&root, closure.into_items(), &reason)?;
            for path in &programs {
                self.link_into_bin(path, &reason)?;
            }
        }
        Ok(())
    }

    /// Systems differ in where they keep a program; in an image it is always in /bin too.
    fn link_into_bin(&mut self, path: &str, reason: &str) -> Result<(), BuildError> {
        let name = path.rsplit('/').next().unwrap_or_default();
        let link = format!("/bin/{name}");
        if path != link {
            self.image.add(&link, Node::Link(path.to_owned()), reason)?;
        }
        Ok(())
    }

    fn add_items(
        &mut self,
        root: &SystemRoot,
        items: BTreeMap<String, Item>,
        reason: &str,
    ) -> Result<(), BuildError> {
        let origins: Vec<String> = items
            .values()
            .filter_map(|item| match item {
                Item::File { origin, .. } => Some(origin.clone()),
                Item::Link(_) => None,
            })
            .collect();
        for (path, item) in items {
            match item {
                Item::File { content, .. } => self.image.add_program(&path, content, reason)?,
                Item::Link(target) => self.image.add(&path, Node::Link(target), reason)?,
            }
        }
        self.add_licenses_of_files(root, origins.iter().map(String::as_str))
    }

    fn add_licenses_of_files<'a>(
        &mut self,
        root: &SystemRoot,
        files: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), BuildError> {
        for (package, text) in copyrights(root, files)? {
            self.add_license(&package, text)?;
        }
        Ok(())
    }
}

fn busybox_of(tree: &Tree) -> Result<Vec<u8>, PackageError> {
    for place in BUSYBOX_PLACES {
        match tree.read(place) {
            Err(PackageError::Missing { .. }) => {}
            result => return result,
        }
    }
    Err(PackageError::Missing {
        origin: tree.origin().to_owned(),
        file: BUSYBOX_PLACES.join(" or "),
    })
}

fn must_be_static(path: &Path, program: &[u8], role: &'static str) -> Result<(), BuildError> {
    let facts = ElfFacts::parse(program).filter(|facts| facts.linked);
    let facts = facts.ok_or_else(|| BuildError::NoProgram {
        path: path.to_owned(),
    })?;
    match facts.interpreter {
        Some(loader) => Err(BuildError::NotStatic {
            path: path.to_owned(),
            loader,
            role,
        }),
        None => Ok(()),
    }
}
