//! Reads which file of a crate imports which, and finds imports that go upward or in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use syn::visit::{self, Visit};

/// The imports of each file of a crate, by paths within its source folder (`protocol/slot.rs`).
#[derive(Debug, Default)]
pub struct Imports(BTreeMap<String, BTreeSet<String>>);

impl Imports {
    /// Reads the sources of a crate, without their tests.
    ///
    /// # Errors
    /// If a file cannot be read, or is not Rust.
    pub fn of(source: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        collect(source, &mut Vec::new(), &mut files)?;
        Self::of_files(&files)
    }

    /// The same for files given as text, by their paths.
    ///
    /// # Errors
    /// If a file is not Rust.
    pub fn of_files(files: &BTreeMap<String, String>) -> io::Result<Self> {
        let modules: BTreeMap<Vec<String>, &str> = files.keys().map(|file| (module_of(file), &**file)).collect();
        let mut imports = Imports::default();
        for (file, text) in files {
            let parsed = syn::parse_file(text).map_err(|error| io::Error::other(format!("{file}: {error}")))?;
            let mut reader = Reader { modules: &modules, at: module_of(file), found: BTreeSet::new() };
            reader.visit_file(&parsed);
            reader.found.remove(file);
            imports.0.insert(file.clone(), reader.found);
        }
        Ok(imports)
    }

    /// The files.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Compares the imports with a table of layers and returns every violation. The bottom layer comes first. The
    /// members of a layer are folders, or files without their ending. A member may import only from layers below its
    /// own.
    pub fn upward(&self, layers: &[&[&str]]) -> Vec<String> {
        let rank = |member: &str| layers.iter().position(|layer| layer.contains(&member));
        let mut wrong = Vec::new();
        for (file, imported) in &self.0 {
            let own = member(file);
            let Some(mine) = rank(own) else {
                wrong.push(format!("{file} is in no layer"));
                continue;
            };
            for other in imported {
                let theirs = member(other);
                if theirs != own && rank(theirs).is_none_or(|theirs| theirs >= mine) {
                    wrong.push(format!("{file} imports {other}, which is not below it"));
                }
            }
        }
        for name in layers.iter().copied().flatten() {
            if !self.0.keys().any(|file| member(file) == *name) {
                wrong.push(format!("the layer {name} has no file"));
            }
        }
        wrong
    }

    /// The circles: sets of files that import each other, directly or through other files.
    pub fn circles(&self) -> Vec<Vec<&str>> {
        let reached: BTreeMap<&str, BTreeSet<&str>> = self.0.keys().map(|file| (&**file, self.reached(file))).collect();
        let mut circles = BTreeSet::new();
        for (file, reaches) in &reached {
            let circle: Vec<&str> = reaches.iter().filter(|other| reached[**other].contains(file)).copied().collect();
            if !circle.is_empty() {
                circles.insert(circle);
            }
        }
        circles.into_iter().collect()
    }

    /// The circles among the layers' members.
    pub fn circles_of_members(&self) -> Vec<Vec<String>> {
        let mut members = BTreeMap::<String, BTreeSet<String>>::new();
        for (file, imported) in &self.0 {
            let own = member(file);
            let others = imported.iter().map(|other| member(other)).filter(|other| *other != own).map(str::to_owned);
            members.entry(own.to_owned()).or_default().extend(others);
        }
        let members = Imports(members);
        members.circles().iter().map(|circle| circle.iter().map(|&member| member.to_owned()).collect()).collect()
    }

    /// All files that a file imports, directly or through others.
    fn reached(&self, file: &str) -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&str> = self.0[file].iter().map(String::as_str).collect();
        while let Some(next) = open.pop() {
            if reached.insert(next) {
                open.extend(self.0.get(next).into_iter().flatten().map(String::as_str));
            }
        }
        reached
    }
}

/// The folder that a file lies in, or the file without its ending if it lies in none.
fn member(file: &str) -> &str {
    file.split_once('/').map_or_else(|| file.trim_end_matches(".rs"), |(folder, _)| folder)
}

fn collect(at: &Path, within: &mut Vec<String>, files: &mut BTreeMap<String, String>) -> io::Result<()> {
    for entry in fs::read_dir(at)? {
        let path = entry?.path();
        within.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        if path.is_dir() {
            collect(&path, within, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.insert(within.join("/"), fs::read_to_string(&path)?);
        }
        within.pop();
    }
    Ok(())
}

/// The module of a file: `protocol/slot.rs` is `[protocol, slot]`, `protocol/mod.rs` is `[protocol]`, `lib.rs` and
/// `main.rs` are `[]`. A program in `bin` is a crate of its own, above the library.
fn module_of(file: &str) -> Vec<String> {
    let mut module: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    module
}

/// Reads one file.
struct Reader<'a> {
    modules: &'a BTreeMap<Vec<String>, &'a str>,
    /// The module that is being read.
    at: Vec<String>,
    found: BTreeSet<String>,
}

impl Reader<'_> {
    /// Adds the file that a path leads to: the longest part of the path that is a module.
    fn named(&mut self, path: &[String]) {
        let mut whole = match path.first().map(String::as_str) {
            Some("crate") => Vec::new(),
            Some("self" | "super") => self.at.clone(),
            // A module within this one.
            Some(first) if self.modules.contains_key(&[&self.at[..], &[first.to_owned()]].concat()) => {
                [&self.at[..], &[first.to_owned()]].concat()
            }
            _ => return,
        };
        for segment in path {
            match segment.as_str() {
                "crate" | "self" => {}
                "super" => drop(whole.pop()),
                _ if segment == whole.last().map_or("", String::as_str) && path.first() == Some(segment) => {}
                _ => whole.push(segment.clone()),
            }
        }
        while !self.modules.contains_key(&whole) && whole.pop().is_some() {}
        if let Some(file) = self.modules.get(&whole) {
            self.found.insert((*file).to_owned());
        }
    }

    fn used(&mut self, tree: &syn::UseTree, before: &mut Vec<String>) {
        match tree {
            syn::UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.used(&path.tree, before);
                before.pop();
            }
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.used(tree, before)),
            syn::UseTree::Glob(_) => self.named(before),
            syn::UseTree::Name(syn::UseName { ident }) | syn::UseTree::Rename(syn::UseRename { ident, .. }) => {
                if ident == "self" {
                    return self.named(before);
                }
                before.push(ident.to_string());
                self.named(before);
                before.pop();
            }
        }
    }
}

/// Whether an item is for tests only.
fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let condition = attribute.meta.require_list().map(|list| list.tokens.to_string()).unwrap_or_default();
        attribute.path().is_ident("cfg")
            && condition.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "test")
    })
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if is_test(&module.attrs) {
            return;
        }
        self.at.push(module.ident.to_string());
        match &module.content {
            Some((_, items)) => items.iter().for_each(|item| self.visit_item(item)),
            // A file that declares a module imports it.
            None => {
                let file = self.modules.get(&self.at).map(|file| (*file).to_owned());
                self.found.extend(file);
            }
        }
        self.at.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_test(&item.attrs) {
            self.used(&item.tree, &mut Vec::new());
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        if !is_test(&function.attrs) {
            visit::visit_item_fn(self, function);
        }
    }

    /// `pub(in crate::sync)` is not an import.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if segments.len() > 1 {
            self.named(&segments);
        }
        visit::visit_path(self, path);
    }

    /// A macro's arguments are not parsed: only full paths from `crate` and `super` are found there.
    fn visit_macro(&mut self, used: &'ast syn::Macro) {
        let tokens = used.tokens.to_string();
        for start in ["crate :: ", "super :: "] {
            for (at, _) in tokens.match_indices(start) {
                let path: Vec<String> = tokens[at..].split(" :: ").map(|part| word(part).to_owned()).collect();
                let end =
                    tokens[at..].split(" :: ").position(|part| word(part) != part).map_or(path.len(), |end| end + 1);
                self.named(&path[..end]);
            }
        }
        visit::visit_macro(self, used);
    }
}

/// The identifier at the start of a text.
fn word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}
