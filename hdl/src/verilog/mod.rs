//! The Verilog-2005 of a design, as an engineer would have written it.
//!
//! A module goes through these steps: [`prepare`] brings expressions and choices into the form that is printed,
//! [`plan`] decides which processes there are ([`live`] and [`paths`] tell it what is needed and what depends on what),
//! [`names`] decides which expressions get a wire and what it is called, [`body`] puts all in order, and [`expr`],
//! [`stmt`], [`memory`] and [`ports`] print it, with line breaks from [`layout`].

mod arena;
mod body;
mod comment;
mod domains;
mod expr;
mod layout;
mod live;
mod memory;
mod names;
mod paths;
mod plan;
mod ports;
mod prepare;
mod stmt;

use crate::ir::*;
use paths::PortPaths;
use std::collections::{HashMap, HashSet};

/// A file of one module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// `fifo.v` holds module `fifo`.
    pub name: String,
    pub text: String,
}

/// An emitted design.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verilog {
    /// One for each module that differs from all others, children before their parents.
    pub files: Vec<File>,
    /// Models of device primitives, for simulation only: synthesis tools have their own.
    pub models: Vec<File>,
    /// Name of the top module.
    pub top: String,
    ports: String,
}

impl Verilog {
    /// All files in one.
    pub fn text(&self) -> String {
        join(&self.files)
    }

    /// All files and all models in one, for a simulator.
    pub fn text_with_models(&self) -> String {
        join([&self.models[..], &self.files[..]].concat().as_slice())
    }

    /// The top's ports as a Markdown table: name, direction, bits, clock and documentation.
    pub fn port_reference(&self) -> &str {
        &self.ports
    }
}

fn join(files: &[File]) -> String {
    files.iter().map(|file| file.text.as_str()).collect::<Vec<_>>().join("\n")
}

impl Design {
    /// Prints the design. The same design prints the same text every time.
    pub fn verilog(&self) -> Verilog {
        let mut emitter = Emitter::new(self);
        let (top, _) = emitter.module(ModuleId(0));
        let Emitter { files, models, .. } = emitter;
        Verilog { files, models, top, ports: ports::reference(self) }
    }
}

/// The name under which the top is emitted: its own, whatever the modules below are called.
fn top_name(design: &Design) -> String {
    base_name(design.top())
}

fn base_name(module: &Module) -> String {
    // A port that repeats the module's name would hide it.
    let hides = module.signals[..module.ports].iter().any(|port| port.name == module.name);
    if hides { format!("{}_module", module.name) } else { module.name.clone() }
}

struct Emitter<'a> {
    design: &'a Design,
    files: Vec<File>,
    models: Vec<File>,
    /// Emitted name of each module by its name and text.
    known: HashMap<(String, String), String>,
    taken: HashSet<String>,
}

impl<'a> Emitter<'a> {
    fn new(design: &'a Design) -> Emitter<'a> {
        // Primitives keep their names, which tools know.
        let primitives = design.modules.iter().filter(|module| module.black_box.is_some());
        let mut taken: HashSet<String> = primitives.map(|module| module.name.clone()).collect();
        taken.insert(top_name(design));
        Emitter { design, files: vec![], models: vec![], known: HashMap::new(), taken }
    }

    /// Prints a module and those below it, and returns its name and its combinational paths.
    fn module(&mut self, id: ModuleId) -> (String, PortPaths) {
        let module = self.design.module(id);
        let children: Vec<(String, PortPaths)> =
            module.instances.iter().map(|instance| self.module(instance.module)).collect();
        let (names, paths): (Vec<String>, Vec<&PortPaths>) =
            children.iter().map(|(name, paths)| (name.clone(), paths)).unzip();
        let (text, port_paths) = text(self.design, module, &names, &paths);
        let key = (module.name.clone(), text);
        if let Some(name) = self.known.get(&key) {
            return (name.clone(), port_paths);
        }
        let name = match module.black_box {
            Some(_) => module.name.clone(),
            None if id == ModuleId(0) => top_name(self.design),
            None => self.unique(module),
        };
        let text = format!("{}module {name}{}", header(module), key.1);
        self.known.insert(key, name.clone());
        let file = File { name: format!("{name}.v"), text };
        match &module.black_box {
            None => self.files.push(file),
            Some(primitive) if primitive.modelled && !self.models.iter().any(|it| it.name == file.name) => {
                self.models.push(file);
            }
            Some(_) => {}
        }
        (name, port_paths)
    }

    fn unique(&mut self, module: &Module) -> String {
        let base = base_name(module);
        let (mut name, mut count) = (base.clone(), 0);
        while !self.taken.insert(name.clone()) {
            count += 1;
            name = format!("{base}_{count}");
        }
        name
    }
}

fn header(module: &Module) -> String {
    let mut lines = comment::comment(&module.doc, 0);
    if !lines.is_empty() {
        lines.push("//".into());
    }
    lines.push(format!("// Generated by Hematite from {}; change it there.", comment::long(module.loc)));
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// What follows the name of a module, and the module's combinational paths.
fn text(design: &Design, module: &Module, children: &[String], paths: &[&PortPaths]) -> (String, PortPaths) {
    let (plan, port_paths) = plan::Plan::new(module, paths);
    let names = names::Names::new(&plan, design);
    let printer = expr::Printer::new(&plan, &names);
    let body = body::body(&printer, design, children);
    let ports = ports::port_list(module, &|port| plan.is_reg(port));
    let mut lines: Vec<String> = vec![];
    if let Some(primitive) = module.black_box.as_ref().filter(|it| !it.parameters.is_empty()) {
        lines.push(" #(".into());
        let last = primitive.parameters.len() - 1;
        for (i, (name, value)) in primitive.parameters.iter().enumerate() {
            let comma = if i == last { "" } else { "," };
            let kind = if matches!(value, Parameter::Integer(_)) { "integer " } else { "" };
            lines.push(format!("    parameter {kind}{name} = {}{comma}", body::parameter(value)));
        }
        lines.push(")".into());
    }
    let open = if ports.is_empty() { ";" } else { " (" };
    match lines.last_mut() {
        Some(last) => last.push_str(open),
        None => lines.push(open.into()),
    }
    if !ports.is_empty() {
        lines.extend(ports);
        lines.push(");".into());
    }
    lines.extend(body);
    lines.push("endmodule".into());
    (lines.join("\n") + "\n", port_paths)
}

#[cfg(test)]
mod tests;
