//! Which file of src uses which, read from the code, and the circles in such a graph.

use std::collections::{BTreeMap, BTreeSet};
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItemFn, Item, ItemUse, Macro, Meta, Path, UseTree, Visibility};

const LIBRARY: &str = "codex_credential";

/// A crate and the modules below it, as in `["codex_credential", "storage", "lock"]`.
type ModulePath = Vec<String>;
/// A path as it is written, as in `["super", "lock", "Held"]`.
type Written = Vec<String>;
/// From the name of each node to the names of those that it uses.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

#[derive(Default)]
struct Module {
    file: String,
    /// What a name that a `use` brings in stands for.
    imports: BTreeMap<String, Written>,
    /// Every path outside of a re-export.
    used: Vec<Written>,
}

pub struct Modules(BTreeMap<ModulePath, Module>);

impl Modules {
    /// Reads files, each a name below src and its text.
    pub fn read(files: &[(String, String)]) -> Self {
        let mut reader = Reader { found: Self(BTreeMap::new()), at: Vec::new() };
        let is_rust =
            |name: &str| std::path::Path::new(name).extension().is_some_and(|it| it == "rs");
        for (name, text) in files.iter().filter(|(name, _)| is_rust(name)) {
            reader.at = module_path(name);
            reader.open(name);
            reader.visit_file(&syn::parse_file(text).expect(name));
        }
        reader.found
    }

    /// The files that each file takes items from. Neither `mod name;` nor a re-export is such a use.
    pub fn uses(&self) -> Graph {
        let mut graph = Graph::new();
        for (path, module) in &self.0 {
            let uses = graph.entry(module.file.clone()).or_default();
            let homes = module.used.iter().filter_map(|written| self.home(path, written));
            uses.extend(homes.filter(|home| **home != module.file).cloned());
        }
        graph
    }

    /// Each file with each path that is written in it.
    pub fn written(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.values().flat_map(|module| {
            let all = module.used.iter().chain(module.imports.values());
            all.map(|path| (module.file.as_str(), path.as_slice()))
        })
    }

    /// The file that defines the item at a path that is written in the module `from`.
    fn home(&self, from: &[String], written: &[String]) -> Option<&String> {
        let mut base = from.to_vec();
        let mut rest = written;
        match rest[0].as_str() {
            "crate" => base.truncate(1),
            LIBRARY => base = vec![LIBRARY.to_owned()],
            "self" | "super" => {}
            name if self.child(from, name).is_some() => return self.item(from, written),
            name if self.0[from].imports.contains_key(name) => return self.item(from, written),
            _ => return None,
        }
        if !["self", "super"].contains(&rest[0].as_str()) {
            rest = &rest[1..];
        }
        while let Some(keyword) =
            rest.first().filter(|name| ["self", "super"].contains(&name.as_str()))
        {
            if keyword == "super" {
                base.pop();
            }
            rest = &rest[1..];
        }
        self.item(&base, rest)
    }

    /// The file that defines the item at `path` below `module`; none for a module itself, or for another crate's item.
    fn item(&self, module: &[String], path: &[String]) -> Option<&String> {
        let (name, rest) = path.split_first()?;
        if let Some(child) = self.child(module, name) {
            return self.item(&child, rest);
        }
        match self.0[module].imports.get(name) {
            Some(import) if import[0] != *name => self.home(module, &[import, rest].concat()),
            Some(_) => None,
            None => Some(&self.0[module].file),
        }
    }

    fn child(&self, module: &[String], name: &str) -> Option<ModulePath> {
        let child = [module, &[name.to_owned()]].concat();
        self.0.contains_key(&child).then_some(child)
    }
}

fn module_path(file: &str) -> ModulePath {
    let (crate_name, file) = match file.strip_prefix("bin/").and_then(|rest| rest.split_once('/')) {
        Some((program, file)) => (program, file),
        None => (LIBRARY, file),
    };
    let modules = file.trim_end_matches(".rs").split('/');
    let modules = modules.filter(|name| !["lib", "main", "mod"].contains(name));
    [crate_name].into_iter().chain(modules).map(str::to_owned).collect()
}

struct Reader {
    found: Modules,
    at: ModulePath,
}

impl Reader {
    fn open(&mut self, file: &str) {
        let module = Module { file: file.to_owned(), ..Module::default() };
        self.found.0.insert(self.at.clone(), module);
    }

    fn module(&mut self) -> &mut Module {
        self.found.0.get_mut(&self.at).unwrap()
    }

    /// Adds the paths in the text of tokens, which a macro or an attribute gets.
    fn add_tokens(&mut self, tokens: &str) {
        let tokens = tokens.replace(" :: ", "::");
        let words = tokens.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
        let paths = words.map(|word| word.trim_matches(':')).filter(|word| word.contains("::"));
        let paths = paths.map(|path| path.split("::").map(str::to_owned).collect());
        self.module().used.extend(paths);
    }

    fn add_import(&mut self, tree: &UseTree, before: &[String], is_use: bool) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        let (name, path) = match tree {
            UseTree::Path(path) => {
                return self.add_import(&path.tree, &with(&path.ident), is_use);
            }
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.add_import(tree, before, is_use));
            }
            UseTree::Name(name) if name.ident == "self" => {
                (before.last().unwrap().clone(), before.to_vec())
            }
            UseTree::Name(name) => (name.ident.to_string(), with(&name.ident)),
            UseTree::Rename(name) => (name.rename.to_string(), with(&name.ident)),
            UseTree::Glob(_) => ("*".to_owned(), [before, &["*".to_owned()]].concat()),
        };
        if is_use {
            self.module().used.push(path.clone());
        }
        self.module().imports.insert(name, path);
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    })
}

impl Visit<'_> for Reader {
    fn visit_item(&mut self, item: &Item) {
        match item {
            Item::Mod(module) if is_for_tests(&module.attrs) => {}
            Item::Fn(function) if is_for_tests(&function.attrs) => {}
            Item::Mod(module) if module.content.is_some() => {
                let file = self.module().file.clone();
                self.at.push(module.ident.to_string());
                self.open(&file);
                visit::visit_item(self, item);
                self.at.pop();
            }
            _ => visit::visit_item(self, item),
        }
    }

    fn visit_impl_item_fn(&mut self, function: &ImplItemFn) {
        if !is_for_tests(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_item_use(&mut self, item: &ItemUse) {
        if !is_for_tests(&item.attrs) {
            self.add_import(&item.tree, &[], matches!(item.vis, Visibility::Inherited));
        }
    }

    fn visit_path(&mut self, path: &Path) {
        let path_as_written = path.segments.iter().map(|segment| segment.ident.to_string());
        let path_as_written = path_as_written.collect();
        self.module().used.push(path_as_written);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &Macro) {
        self.add_tokens(&called.tokens.to_string());
        visit::visit_macro(self, called);
    }

    fn visit_attribute(&mut self, attribute: &Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.add_tokens(&list.tokens.to_string());
        }
    }
}

/// The graph with `place` in place of each name; a name without a place is left out.
pub fn merged(graph: &Graph, place: impl Fn(&str) -> Option<String>) -> Graph {
    let mut merged = Graph::new();
    for (from, uses) in graph {
        let Some(from) = place(from) else { continue };
        let uses = uses.iter().filter_map(|to| place(to)).filter(|to| *to != from);
        let uses: Vec<_> = uses.collect();
        merged.entry(from).or_default().extend(uses);
    }
    merged
}

/// The strongly connected components of more than one node.
pub fn circles(graph: &Graph) -> BTreeSet<BTreeSet<&str>> {
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        graph.keys().map(|from| (from.as_str(), reached(graph, from))).collect();
    let mutual = |from: &str, to: &str| reach.get(to).is_some_and(|back| back.contains(from));
    let circles = reach.iter().map(|(from, reached)| {
        reached.iter().filter(|to| mutual(from, to)).copied().collect::<BTreeSet<_>>()
    });
    circles.filter(|circle| circle.len() > 1).collect()
}

fn reached<'a>(graph: &'a Graph, from: &'a str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open = vec![from];
    while let Some(node) = open.pop() {
        let next = graph.get(node).into_iter().flatten();
        open.extend(next.map(String::as_str).filter(|to| found.insert(*to)));
    }
    found
}
