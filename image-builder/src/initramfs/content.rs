use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{BuildError, KERNEL_IMAGE, Recipe, add_manifest};
use crate::elf::{Closure, ElfFacts, Item, SystemRoot};
use crate::firmware::{self, Firmware, FirmwareError};
use crate::image::{Digests, Image, Node, Origins};
use crate::io::read;
use crate::licenses::{CHANGELOGS, Package, packages};
use crate::microcode::Microcode;
use crate::modules::{Kernel, KernelError, Modules, index_files};
use crate::package::{PackageError, Tree};
use crate::parallel;

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
const ADDED: &str = "added programs";
const BUSYBOX_PLACES: [&str; 2] = ["usr/bin/busybox", "bin/busybox"];

/// An image in the making.
pub(super) struct Content {
    image: Image,
    origins: Origins,
    digests: Digests,
    package_of_image: Option<String>,
}

impl Content {
    pub(super) fn collect(
        recipe: &Recipe,
        kernel: &Kernel,
        modules: &Modules,
    ) -> Result<Image, BuildError> {
        let mut content = Self {
            image: Image::default(),
            origins: Origins::default(),
            digests: Digests::start(),
            package_of_image: None,
        };
        match kernel.image() {
            Ok(image) => content.digests.add(KERNEL_IMAGE, &image),
            Err(KernelError::NoImage { .. }) => {}
            Err(error) => return Err(error.into()),
        }
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
        content.add_programs(recipe, kernel)?;
        for path in &recipe.microcode {
            content.add_microcode(path)?;
        }
        for path in &recipe.firmware {
            content.add_firmware(path, modules)?;
        }
        add_manifest(
            &mut content.image,
            content.digests,
            kernel,
            modules,
            &content.origins,
            content.package_of_image,
        )?;
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
        self.origins.license("init", env!("CARGO_PKG_LICENSE"));
        Ok(self.image.add_program("init", program, "preflight")?)
    }

    fn add_modules(&mut self, kernel: &Kernel, modules: &Modules) -> Result<(), BuildError> {
        let folder = format!("lib/modules/{}", kernel.release());
        let mut packages = ModulePackages::default();
        let mut in_system = BTreeMap::new();
        for ((name, module), content) in modules.iter().zip(modules.read(kernel)?) {
            let path = format!("{folder}/{}", module.path);
            if let Some(license) = &module.info.license {
                self.origins.license(&path, license);
            }
            let stored = kernel.path(name).unwrap_or(&module.path);
            if !kernel.tree().is_system() {
                if let Some(package) = packages.of(kernel, stored) {
                    self.origins.file(&path, &package);
                }
            } else if let Some(place) = kernel.place(stored) {
                in_system.insert(path.clone(), format!("/{place}"));
            }
            let reason = format!("modules: {}", module.group);
            let content = Arc::new(content);
            self.digests.add(&path, &content);
            self.image.add_file(&path, content, &reason)?;
        }
        for (name, text) in index_files(kernel, modules)? {
            let path = format!("{folder}/{name}");
            self.image.add_file(&path, text, "modules: index files")?;
        }
        if !kernel.tree().is_system() {
            self.package_of_image = kernel.image_package();
            return Ok(());
        }
        // The kernel image lies beside the initramfs, which tells what it is from.
        let places = kernel.image_places().map(|place| format!("/{place}"));
        in_system.extend(places.iter().map(|place| (place.clone(), place.clone())));
        let root = SystemRoot::new(kernel.tree().origin());
        let owners = self.add_packages_of(&root, &in_system)?;
        self.package_of_image = places.iter().find_map(|place| owners.get(place)).cloned();
        Ok(())
    }

    /// The copyright files in a package or an unpacked one.
    fn add_licenses_of(&mut self, tree: &Tree) -> Result<(), BuildError> {
        // A whole system is no package: its thousand copyright files say nothing here.
        if tree.is_system() {
            return Ok(());
        }
        for package in tree.packages()? {
            let text = tree.read(&format!("usr/share/doc/{package}/copyright"))?;
            let mut changelog = None;
            for name in CHANGELOGS {
                let read = || tree.read(&format!("usr/share/doc/{package}/{name}")).ok();
                changelog = changelog.or_else(read);
            }
            let known = Package::new(&text, changelog.as_deref());
            self.origins.package(&package, known);
            self.add_license(&package, text)?;
        }
        Ok(())
    }

    fn add_license(&mut self, package: &str, text: Vec<u8>) -> Result<(), BuildError> {
        let path = format!("{LICENSES}/{package}");
        self.origins.file(&path, package);
        Ok(self.image.add_file(&path, text, "licences")?)
    }

    fn add_device_names(&mut self, path: &Path) -> Result<(), BuildError> {
        let place = "usr/share/preflight/pci.ids";
        self.image.add_file(place, read(path)?, "device names")?;
        let origin = path.to_string_lossy().into_owned();
        let files = BTreeMap::from([(place.to_owned(), origin)]);
        self.add_packages_of(&SystemRoot::new(Path::new("/")), &files)?;
        Ok(())
    }

    fn add_busybox(&mut self, path: &Path) -> Result<(), BuildError> {
        let program = if path.is_dir() || path.extension().is_some_and(|end| end == "deb") {
            let tree = Tree::open(path)?;
            self.add_licenses_of(&tree)?;
            self.origins.file("bin/busybox", "busybox-static");
            busybox_of(&tree)?
        } else {
            read(path)?
        };
        must_be_static(path, &program, "busybox")?;
        Ok(self.image.add_program("bin/busybox", program, "busybox")?)
    }

    fn add_microcode(&mut self, path: &Path) -> Result<(), BuildError> {
        let Microcode { blobs, package } = Microcode::open(path)?;
        for blob in blobs {
            let place = blob.vendor.path();
            if let Some((name, _)) = &package {
                self.origins.file(place, name);
            }
            let reason = blob.summary();
            self.image.add_file(place, blob.content, &reason)?;
        }
        match &package {
            Some((_, tree)) => self.add_licenses_of(tree),
            None => Ok(()),
        }
    }

    fn add_firmware(&mut self, path: &Path, modules: &Modules) -> Result<(), BuildError> {
        let source = Firmware::open(path)?;
        let mut files = BTreeMap::new();
        // What an earlier source had already stays.
        for wanted in firmware::missing(&self.image, modules) {
            for pattern in wanted.files {
                for (name, located) in source.find(&pattern)? {
                    let place = format!("{}/{name}", firmware::FOLDER);
                    let content = source.read(&located).map_err(BuildError::Io)?;
                    self.image.add_file(&place, content, "firmware")?;
                    files.insert(place, located.path);
                }
            }
        }
        if files.is_empty() {
            let path = path.to_owned();
            return Err(FirmwareError::Nothing { path }.into());
        }
        self.add_packages_of(source.root(), &files)?;
        Ok(())
    }

    fn add_programs(&mut self, recipe: &Recipe, kernel: &Kernel) -> Result<(), BuildError> {
        let system = SystemRoot::new(&recipe.system);
        let root = SystemRoot::new(recipe.tools_system.as_deref().unwrap_or(&recipe.system));
        let tools = recipe.tools(kernel)?;
        let mut closure = match recipe.tools_system {
            Some(_) if !tools.is_empty() => Closure::sharing(&system, &root),
            _ => Closure::new(&system),
        };
        for binary in &recipe.binaries {
            closure.add(&binary.path, binary.destination.as_deref())?;
        }
        let (own, shared) = closure.into_own_and_shared();
        self.add_items(&system, own, ADDED)?;
        let closures = parallel::map(&tools, |tool| -> Result<_, BuildError> {
            let mut closure = Closure::new(&root);
            let programs = tool.programs_in(&root)?;
            for path in &programs {
                closure.add(path, None)?;
            }
            Ok((programs, closure.into_items()))
        });
        for (tool, closure) in tools.iter().zip(closures) {
            let (programs, items) = closure?;
            let reason = format!("tool: {}", tool.name);
            self.add_items(&root, items, &reason)?;
            for path in &programs {
                self.link_into_bin(path, &reason)?;
            }
        }
        // After the tools, so that their size is theirs.
        self.add_items(&root, shared, ADDED)
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
        let files = items.iter().filter_map(|(path, item)| match item {
            Item::File { origin, .. } => Some((path.clone(), origin.clone())),
            Item::Link(_) => None,
        });
        let files: BTreeMap<String, String> = files.collect();
        for (path, item) in items {
            match item {
                Item::File { content, .. } => self.image.add_program(&path, content, reason)?,
                Item::Link(target) => self.image.add(&path, Node::Link(target), reason)?,
            }
        }
        self.add_packages_of(root, &files)?;
        Ok(())
    }

    /// `files`: paths in the image, and where each was in the system. Gives the packages of those places.
    fn add_packages_of(
        &mut self,
        root: &SystemRoot,
        files: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, BuildError> {
        let found = packages(root, files.values().map(String::as_str))?;
        for (path, origin) in files {
            if let Some(package) = found.owners.get(origin) {
                self.origins.file(path, package);
            }
        }
        for (name, known) in found.packages {
            self.origins.package(&name, known);
        }
        for (package, text) in found.texts {
            self.add_license(&package, text)?;
        }
        Ok(found.owners)
    }
}

/// The packages of modules by the folder that those lie in: a kernel's own are all from one.
#[derive(Default)]
struct ModulePackages(BTreeMap<String, Option<String>>);

impl ModulePackages {
    fn of(&mut self, kernel: &Kernel, path: &str) -> Option<String> {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let known = self.0.entry(folder.to_owned());
        known.or_insert_with(|| kernel.package_of(path)).clone()
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
