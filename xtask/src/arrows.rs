//! `cargo xtask arrows`: each crate needs only crates below it, and no files of a crate need each other in
//! a circle.
//!
//! A file needs another if a `use` or a path in it, also one in the tokens of a macro, leads to an item of
//! the other, through whatever re-exports it. `mod` lines, re-exports and what is compiled for tests alone
//! do not count, nor does a module by itself. Methods and fields are not seen: their types are named elsewhere.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::process::Command;

use proc_macro2::{TokenStream, TokenTree};
use serde_json::Value;
use syn::visit::{self, Visit};
use syn::{Attribute, Ident, Item, Meta, UseTree, Visibility};

use crate::workspace::{cargo_program, root};

/// Which crate needs which, as ARCHITECTURE.md has it; what those need may be needed too.
const ARROWS: [(&[&str], &[&str]); 7] = [
    (&["experiments"], &["lumen", "view"]),
    (&["python"], &["runs", "view"]),
    (&["lumen"], &["runs"]),
    (&["view"], &["envs"]),
    (&["runs"], &["agents", "analysis"]),
    (&["agents"], &["envs", "kernel"]),
    (&["envs", "kernel", "analysis"], &["numerics"]),
];
/// They may need every crate, and none needs them.
const OUTSIDE: [&str; 2] = ["benches", "xtask"];

/// Checks the whole workspace.
pub(crate) fn check() -> Result<(), String> {
    let output = Command::new(cargo_program())
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .map_err(|error| format!("cannot run cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim_end()));
    }
    let metadata: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
    let root = PathBuf::from(metadata["workspace_root"].as_str().unwrap_or_default());
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut problems = Vec::new();
    for package in list(&metadata["packages"]) {
        let name = folder(package["manifest_path"].as_str().and_then(|path| Path::new(path).parent()));
        let needed = list(&package["dependencies"]);
        let needed = needed.iter().filter_map(|needed| needed["path"].as_str());
        problems.extend(needed.filter_map(|needed| refused(&name, &folder(Some(Path::new(needed))))));
        for target in list(&package["targets"]) {
            if !list(&target["kind"]).contains(&Value::from("test")) {
                let main = target["src_path"].as_str().unwrap_or_default();
                problems.extend(Tree::read(Path::new(main))?.circles(&root));
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

/// The name of a folder.
fn folder(path: Option<&Path>) -> String {
    path.and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned()
}

/// Why a crate may not need another; None if it may.
fn refused(from: &str, to: &str) -> Option<String> {
    let mut below = vec![from];
    let mut next = 0;
    while let Some(&name) = below.get(next) {
        let arrows = ARROWS.iter().filter(|(from, _)| from.contains(&name));
        below.extend(arrows.flat_map(|(_, to)| *to));
        next += 1;
    }
    (!OUTSIDE.contains(&from) && !below[1..].contains(&to))
        .then(|| format!("{from}/Cargo.toml: {from} may not need {to}"))
}

/// The modules of a crate, its files, and the paths in them.
#[derive(Default)]
struct Tree {
    files: Vec<PathBuf>,
    modules: Vec<Module>,
    mentions: Vec<Mention>,
}

#[derive(Default)]
struct Module {
    parent: usize,
    file: usize,
    names: HashMap<String, Vec<Name>>,
    globs: Vec<Vec<String>>,
}

/// What a name in a module stands for.
#[derive(Clone, Debug, PartialEq)]
enum Name {
    /// An item that a file defines.
    Item(usize),
    Module(usize),
    Import(Vec<String>),
}

struct Mention {
    module: usize,
    path: Vec<String>,
    line: usize,
}

impl Tree {
    fn read(main: &Path) -> Result<Tree, String> {
        let mut tree = Tree::default();
        let inside = main.parent().unwrap_or(main).to_path_buf();
        let mut reader = Reader { tree: &mut tree, module: 0, inside, problem: None };
        reader.file(main.to_path_buf(), 0);
        reader.problem.map_or(Ok(tree), Err)
    }

    /// Where a path of a module leads to: items, or modules.
    fn follow(&self, module: usize, path: &[String], on_the_way: &mut Vec<(usize, String)>) -> Vec<Name> {
        let mut places = vec![Name::Module(module)];
        for part in path {
            let step = |place: &Name| match place {
                Name::Module(module) => self.member(*module, part, on_the_way),
                // A variant or a function of an item.
                item => vec![item.clone()],
            };
            places = places.iter().flat_map(step).collect();
        }
        places
    }

    fn member(&self, of: usize, name: &str, on_the_way: &mut Vec<(usize, String)>) -> Vec<Name> {
        match name {
            "crate" => return vec![Name::Module(0)],
            "self" => return vec![Name::Module(of)],
            "super" => return vec![Name::Module(self.modules[of].parent)],
            _ => (),
        }
        let asked = (of, name.to_string());
        let again = on_the_way.contains(&asked);
        on_the_way.push(asked);
        let module = &self.modules[of];
        let mut found = Vec::new();
        for known in module.names.get(name).into_iter().flatten() {
            match known {
                Name::Import(path) if !again => found.extend(self.follow(of, path, on_the_way)),
                Name::Import(_) => (),
                known => found.push(known.clone()),
            }
        }
        if found.is_empty() && !again {
            for glob in &module.globs {
                for place in self.follow(of, glob, on_the_way) {
                    if let Name::Module(module) = place {
                        found.extend(self.member(module, name, on_the_way));
                    }
                }
            }
        }
        on_the_way.pop();
        found
    }

    /// A line for each group of files that need each other: a shortest circle in it.
    fn circles(&self, root: &Path) -> Vec<String> {
        let mut arrows: BTreeMap<usize, BTreeMap<usize, &Mention>> = BTreeMap::new();
        for mention in &self.mentions {
            let from = self.modules[mention.module].file;
            for place in self.follow(mention.module, &mention.path, &mut Vec::new()) {
                match place {
                    Name::Item(to) if to != from => {
                        arrows.entry(from).or_default().entry(to).or_insert(mention);
                    }
                    _ => (),
                }
            }
        }
        // From each file that one can be reached from, the file before it on a shortest way.
        let ways = |from: usize| {
            let mut before = BTreeMap::new();
            let mut next = VecDeque::from([from]);
            while let Some(file) = next.pop_front() {
                for &to in arrows.get(&file).into_iter().flat_map(BTreeMap::keys) {
                    before.entry(to).or_insert_with(|| {
                        next.push_back(to);
                        file
                    });
                }
            }
            before
        };
        let ways: Vec<BTreeMap<usize, usize>> = (0..self.files.len()).map(ways).collect();
        let name = |file: usize| self.files[file].strip_prefix(root).unwrap_or(&self.files[file]).display();
        let mut told: BTreeSet<usize> = BTreeSet::new();
        let mut lines = Vec::new();
        for (file, before) in ways.iter().enumerate() {
            if !before.contains_key(&file) || told.contains(&file) {
                continue;
            }
            let group: Vec<usize> =
                before.keys().copied().filter(|&other| ways[other].contains_key(&file)).collect();
            told.extend(&group);
            let mut line = String::new();
            let mut to = file;
            while line.is_empty() || to != file {
                let from = before[&to];
                let mention = arrows[&from][&to];
                line = format!(" -> {} ({}, line {}){line}", name(to), mention.path.join("::"), mention.line);
                to = from;
            }
            lines.push(format!("{} files in circles: {}{line}", group.len(), name(file)));
        }
        lines
    }
}

/// Reads a module into the tree.
struct Reader<'t> {
    tree: &'t mut Tree,
    module: usize,
    /// Where the files of modules in this one are.
    inside: PathBuf,
    problem: Option<String>,
}

impl Reader<'_> {
    /// Reads a file that is a module.
    fn file(&mut self, path: PathBuf, parent: usize) {
        let text = std::fs::read_to_string(&path).map_err(|error| error.to_string());
        match text.and_then(|text| syn::parse_file(&text).map_err(|error| error.to_string())) {
            Ok(file) => {
                self.tree.files.push(path);
                self.items(self.tree.files.len() - 1, parent, &file.items);
            }
            Err(problem) => self.problem = Some(format!("{}: {problem}", path.display())),
        }
    }

    fn items(&mut self, file: usize, parent: usize, items: &[Item]) {
        self.module = self.tree.modules.len();
        self.tree.modules.push(Module { parent, file, ..Module::default() });
        for item in items {
            self.visit_item(item);
        }
    }

    fn name(&mut self, module: usize, name: String, means: Name) {
        self.tree.modules[module].names.entry(name).or_default().push(means);
    }

    fn mention(&mut self, path: Vec<String>, line: usize) {
        self.tree.mentions.push(Mention { module: self.module, path, line });
    }

    fn import(&mut self, tree: &UseTree, mut path: Vec<String>, again: bool) {
        let (ident, name) = match tree {
            UseTree::Path(tree) => {
                path.push(tree.ident.to_string());
                return self.import(&tree.tree, path, again);
            }
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.import(tree, path.clone(), again));
            }
            UseTree::Glob(_) => return self.tree.modules[self.module].globs.push(path),
            UseTree::Name(tree) => (&tree.ident, &tree.ident),
            UseTree::Rename(tree) => (&tree.ident, &tree.rename),
        };
        if ident != "self" {
            path.push(ident.to_string());
        }
        let name = if name == "self" { path.last().cloned().unwrap_or_default() } else { name.to_string() };
        if !again {
            self.mention(path.clone(), ident.span().start().line);
        }
        self.name(self.module, name, Name::Import(path));
    }

    /// The paths among the tokens of a macro or an attribute.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is =
            |at: usize, sign| matches!(tokens.get(at), Some(TokenTree::Punct(it)) if it.as_char() == sign);
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.tokens(group.stream()),
                // A field or a method.
                TokenTree::Ident(_) if at > 0 && is(at - 1, '.') => (),
                TokenTree::Ident(first) => {
                    let mut path = vec![first.to_string()];
                    while is(at + 1, ':') && is(at + 2, ':') {
                        let Some(TokenTree::Ident(next)) = tokens.get(at + 3) else { break };
                        path.push(next.to_string());
                        at += 3;
                    }
                    self.mention(path, first.span().start().line);
                }
                _ => (),
            }
            at += 1;
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let (attributes, name) = head(item);
        if for_tests(attributes) {
            return;
        }
        if let Some(name) = name {
            let file = Name::Item(self.tree.modules[self.module].file);
            if matches!(item, Item::Macro(_)) {
                // Known by its name alone to all that follows.
                self.name(0, name.to_string(), file.clone());
            }
            self.name(self.module, name.to_string(), file);
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let name = item.ident.to_string();
        let (outside, module) = (self.inside.clone(), self.module);
        self.name(module, name.clone(), Name::Module(self.tree.modules.len()));
        self.inside.push(&name);
        if let Some((_, items)) = &item.content {
            self.items(self.tree.modules[module].file, module, items);
        } else {
            let file = self.inside.with_extension("rs");
            self.file(if file.exists() { file } else { self.inside.join("mod.rs") }, module);
        }
        (self.inside, self.module) = (outside, module);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if item.leading_colon.is_none() {
            self.import(&item.tree, Vec::new(), !matches!(item.vis, Visibility::Inherited));
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|part| part.ident.to_string()).collect();
        if let Some(first) = path.segments.first().filter(|_| path.leading_colon.is_none()) {
            self.mention(names, first.ident.span().start().line);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        if let Some(name) = called.path.get_ident() {
            self.mention(vec!["crate".into(), name.to_string()], name.span().start().line);
        }
        visit::visit_macro(self, called);
        self.tokens(called.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
    }
}

/// An item's attributes, and its name if other paths can lead to it.
fn head(item: &Item) -> (&[Attribute], Option<&Ident>) {
    match item {
        Item::Const(item) => (&item.attrs, Some(&item.ident)),
        Item::Enum(item) => (&item.attrs, Some(&item.ident)),
        Item::Fn(item) => (&item.attrs, Some(&item.sig.ident)),
        Item::Impl(item) => (&item.attrs, None),
        Item::Macro(item) => (&item.attrs, item.ident.as_ref()),
        Item::Mod(item) => (&item.attrs, None),
        Item::Static(item) => (&item.attrs, Some(&item.ident)),
        Item::Struct(item) => (&item.attrs, Some(&item.ident)),
        Item::Trait(item) => (&item.attrs, Some(&item.ident)),
        Item::Type(item) => (&item.attrs, Some(&item.ident)),
        Item::Union(item) => (&item.attrs, Some(&item.ident)),
        Item::Use(item) => (&item.attrs, None),
        _ => (&[], None),
    }
}

/// Whether it is compiled for tests alone: `cfg(test)`, also in an `all`.
fn for_tests(attributes: &[Attribute]) -> bool {
    fn needs_test(meta: &Meta) -> bool {
        use syn::{Token, punctuated::Punctuated};
        match meta {
            Meta::List(list) if list.path.is_ident("cfg") || list.path.is_ident("all") => list
                .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
                .is_ok_and(|all| all.iter().any(needs_test)),
            meta => meta.path().is_ident("test"),
        }
    }
    attributes.iter().any(|attribute| needs_test(&attribute.meta))
}

#[cfg(test)]
mod tests;
