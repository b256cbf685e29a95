//! The index files that depmod(8) would write, for the carried modules alone. A kernel package has
//! none of them: depmod runs when it is installed.

use std::collections::BTreeSet;

use super::{Carried, Kernel, KernelError, ModuleName, Modules};

/// Files that are taken from the package as they are.
const KEPT: [&str; 2] = ["modules.builtin", "modules.builtin.modinfo"];

/// Name and content of each index file of the release's module folder.
pub fn index_files(
    kernel: &Kernel,
    modules: &Modules,
) -> Result<Vec<(String, Vec<u8>)>, KernelError> {
    let order = in_order(kernel, modules);
    let mut files = vec![
        ("modules.dep".to_owned(), dep(modules, &order)),
        ("modules.alias".to_owned(), alias(&order)),
        ("modules.softdep".to_owned(), softdep(&order)),
        ("modules.order".to_owned(), order_file(kernel, &order)),
    ];
    let weakdep = weakdep(&order);
    if !weakdep.is_empty() {
        files.push(("modules.weakdep".to_owned(), weakdep));
    }
    let mut files: Vec<_> = files
        .into_iter()
        .map(|(name, text)| (name, text.into_bytes()))
        .collect();
    for name in KEPT {
        if let Some(content) = kernel.file(name)? {
            files.push((name.to_owned(), content));
        }
    }
    Ok(files)
}

type Ordered<'a> = [(&'a ModuleName, &'a Carried)];

fn in_order<'a>(kernel: &Kernel, modules: &'a Modules) -> Vec<(&'a ModuleName, &'a Carried)> {
    let mut order: Vec<_> = modules.iter().collect();
    order.sort_by_cached_key(|(_, module)| (kernel.rank(&module.path), module.path.clone()));
    order
}

/// Each line has all dependencies, also the indirect ones; the last one is loaded first.
fn dep(modules: &Modules, order: &Ordered<'_>) -> String {
    order
        .iter()
        .map(|(name, module)| {
            let mut after = Vec::new();
            visit(modules, name, &mut BTreeSet::new(), &mut after);
            after.pop();
            let needed: String = after.iter().rev().map(|path| format!(" {path}")).collect();
            format!("{}:{needed}\n", module.path)
        })
        .collect()
}

/// Paths of the module and its dependencies, each after all that it depends on.
fn visit<'a>(
    modules: &'a Modules,
    name: &ModuleName,
    seen: &mut BTreeSet<ModuleName>,
    after: &mut Vec<&'a str>,
) {
    // What is not carried is compiled in.
    let Some(module) = modules.get(name).filter(|_| seen.insert(name.clone())) else {
        return;
    };
    for next in &module.info.depends {
        visit(modules, next, seen, after);
    }
    after.push(&module.path);
}

fn alias(order: &Ordered<'_>) -> String {
    lines(order, |name, module| {
        let aliases = module.info.aliases.iter();
        aliases
            .map(|alias| format!("alias {alias} {name}\n"))
            .collect()
    })
}

fn softdep(order: &Ordered<'_>) -> String {
    lines(order, |name, module| {
        let softdeps = module.info.softdeps.iter();
        softdeps
            .map(|text| format!("softdep {name} {text}\n"))
            .collect()
    })
}

fn weakdep(order: &Ordered<'_>) -> String {
    lines(order, |name, module| {
        let weakdeps = module.info.weakdeps.iter();
        weakdeps
            .map(|text| format!("weakdep {name} {text}\n"))
            .collect()
    })
}

fn lines(order: &Ordered<'_>, of: impl Fn(&ModuleName, &Carried) -> String) -> String {
    order
        .iter()
        .map(|(name, module)| of(name, module))
        .collect()
}

fn order_file(kernel: &Kernel, order: &Ordered<'_>) -> String {
    order
        .iter()
        .filter(|(_, module)| kernel.rank(&module.path) != usize::MAX)
        .map(|(_, module)| format!("{}\n", module.path))
        .collect()
}
