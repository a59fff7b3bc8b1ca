//! Whether values are what the schema says: the variables of each request, and once for each document what is written in
//! it.
//!
//! The stock validators look at values, too, but not at all of them (nothing that stands at `__typename`, nothing that no
//! field is resolved for), and not again where a document that was found sound before is executed without them. What is
//! wrong here is told before anything is executed.

use async_graphql::{
    Name, Positioned, Value, Variables,
    indexmap::IndexMap,
    parser::types::{
        BaseType, Directive, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet, Type,
    },
};
use async_graphql_value::Value as Written;
use serde_json::Number;

use super::{
    super::scalars,
    Refusal,
    count::root,
    index::{Declared, Index, Input},
};

/// The variables of a request, as the operation declares them. What is not declared is nobody's business.
pub fn variables(index: &Index, operation: &OperationDefinition, variables: &Variables) -> Result<(), Refusal> {
    for declared in operation.variable_definitions.iter().map(|declared| &declared.node) {
        let (name, ty) = (&declared.name.node, &declared.var_type.node);
        match variables.get(name) {
            // Left to itself, the executor would begin all the same.
            None | Some(Value::Null)
                if !ty.nullable && (variables.contains_key(name) || declared.default_value.is_none()) =>
            {
                return Err(Refusal::BadRequest(format!("the variable ${name} of type {ty} must be given")));
            }
            None => {}
            Some(value) => fits(index, ty, value).map_err(|wrong| wrong.with(&format!("the variable ${name}")))?,
        }
    }
    Ok(())
}

/// Everything that is written in a document: arguments, defaults, and what directives take.
pub fn literals(index: &Index, document: &ExecutableDocument) -> Result<(), Refusal> {
    let literals = Literals { index };
    for (_, operation) in document.operations.iter() {
        let operation = &operation.node;
        literals.directives(&operation.directives)?;
        for declared in operation.variable_definitions.iter().map(|declared| &declared.node) {
            if let Some(default) = &declared.default_value {
                let what = format!("the default of the variable ${}", declared.name.node);
                let default = default.node.clone().into_value();
                fits(index, &declared.var_type.node, &default).map_err(|wrong| wrong.with(&what))?;
            }
        }
        literals.set(&operation.selection_set.node, root(operation.ty))?;
    }
    for fragment in document.fragments.values() {
        literals.directives(&fragment.node.directives)?;
        literals.set(&fragment.node.selection_set.node, fragment.node.type_condition.node.on.node.as_str())?;
    }
    Ok(())
}

struct Literals<'a> {
    index: &'a Index,
}

impl Literals<'_> {
    fn set(&self, set: &SelectionSet, parent: &str) -> Result<(), Refusal> {
        for selection in &set.items {
            self.directives(selection.node.directives())?;
            match &selection.node {
                Selection::Field(field) => self.field(&field.node, parent)?,
                Selection::InlineFragment(inline) => {
                    let condition =
                        inline.node.type_condition.as_ref().map(|condition| condition.node.on.node.as_str());
                    self.set(&inline.node.selection_set.node, condition.unwrap_or(parent))?;
                }
                // Each fragment is looked at once, where it is defined.
                Selection::FragmentSpread(_) => {}
            }
        }
        Ok(())
    }

    fn field(&self, field: &Field, parent: &str) -> Result<(), Refusal> {
        let name = field.name.node.as_str();
        if name == "__typename"
            && let Some((argument, _)) = field.arguments.first()
        {
            return Err(Refusal::BadRequest(format!("__typename takes no argument {:.60}", argument.node)));
        }
        let leads = self.index.field(parent, name);
        if let Some(leads) = leads {
            self.arguments(&format!("of {name}"), &leads.arguments, &field.arguments)?;
        }
        self.set(&field.selection_set.node, leads.map_or("", |leads| &leads.to))
    }

    fn directives(&self, directives: &[Positioned<Directive>]) -> Result<(), Refusal> {
        for directive in directives.iter().map(|directive| &directive.node) {
            let name = &directive.name.node;
            let Some(declared) = self.index.directive(name) else {
                return Err(Refusal::BadRequest(format!("there is no directive @{name:.60}")));
            };
            if let Some((unknown, _)) =
                directive.arguments.iter().find(|(argument, _)| !declared.contains_key(argument.node.as_str()))
            {
                return Err(Refusal::BadRequest(format!("@{name} takes no argument {:.60}", unknown.node)));
            }
            let given = |argument: &str| directive.arguments.iter().any(|(found, _)| found.node == argument);
            if let Some((missing, _)) =
                declared.iter().find(|(argument, declared)| declared.must_be_given() && !given(argument))
            {
                return Err(Refusal::BadRequest(format!("@{name} needs the argument {missing}")));
            }
            self.arguments(&format!("of @{name}"), declared, &directive.arguments)?;
        }
        Ok(())
    }

    /// Those that are not declared are the validator's to complain about, who knows which name was meant.
    fn arguments(
        &self,
        of: &str,
        declared: &Declared,
        given: &[(Positioned<Name>, Positioned<Written>)],
    ) -> Result<(), Refusal> {
        for (name, value) in given {
            if let Some(declared) = declared.get(name.node.as_str()) {
                let what = || format!("the argument {} {of}", name.node);
                fits(self.index, &declared.ty, &value.node).map_err(|wrong| wrong.with(&what()))?;
            }
        }
        Ok(())
    }
}

/// What is wrong, and the way to it from the inside out.
struct Wrong {
    reason: String,
    way: Vec<String>,
}

impl Wrong {
    fn new(reason: String) -> Self {
        Wrong { reason, way: Vec::new() }
    }

    fn at(mut self, step: impl ToString) -> Self {
        self.way.push(step.to_string());
        self
    }

    fn with(mut self, what: &str) -> Refusal {
        self.way.reverse();
        let place = if self.way.is_empty() { String::new() } else { format!(" at {:.120}", self.way.join(".")) };
        Refusal::BadRequest(format!("{what:.90} is wrong{place}: {}", self.reason))
    }
}

/// Does the value fit the type? A variable within it does, if it is declared so, which the validator sees to.
fn fits<V: Look>(index: &Index, ty: &Type, value: &V) -> Result<(), Wrong> {
    let wanted = || Err(Wrong::new(format!("it must be {ty}")));
    match (&ty.base, value.look()) {
        (_, Seen::Variable) => Ok(()),
        (_, Seen::Null) if ty.nullable => Ok(()),
        (_, Seen::Null) => wanted(),
        (BaseType::List(inner), Seen::List(items)) => {
            items.iter().enumerate().try_for_each(|(at, item)| fits(index, inner, item).map_err(|wrong| wrong.at(at)))
        }
        // One thing is as good as a list of it.
        (BaseType::List(inner), _) => fits(index, inner, value),
        (BaseType::Named(name), seen) => match (index.input(name), seen) {
            (Some(Input::Enum(values)), Seen::Enum(word)) if values.contains(word) => Ok(()),
            (Some(Input::Enum(values)), Seen::Text(word)) if V::ENUMS_ARE_TEXT && values.contains(word) => Ok(()),
            (Some(Input::Object { fields, is_one_of }), Seen::Object(given)) => {
                object(index, name, fields, *is_one_of, given)
            }
            (None, _) if scalar(name, value) => Ok(()),
            _ => wanted(),
        },
    }
}

fn object<V: Look>(
    index: &Index,
    name: &str,
    fields: &Declared,
    is_one_of: bool,
    given: &IndexMap<Name, V>,
) -> Result<(), Wrong> {
    for (field, value) in given {
        let Some(declared) = fields.get(field.as_str()) else {
            return Err(Wrong::new(format!("{name} has no such field")).at(format!("{field:.60}")));
        };
        fits(index, &declared.ty, value).map_err(|wrong| wrong.at(field))?;
    }
    if is_one_of && (given.len() != 1 || given.values().any(|value| matches!(value.look(), Seen::Null))) {
        return Err(Wrong::new(format!("exactly one field of {name} must be given")));
    }
    match fields.iter().find(|(field, declared)| declared.must_be_given() && !given.contains_key(field.as_str())) {
        Some((missing, declared)) => Err(Wrong::new(format!("{} must be given", declared.ty)).at(missing)),
        None => Ok(()),
    }
}

fn scalar<V: Look>(name: &str, value: &V) -> bool {
    match (name, value.look()) {
        ("Int", Seen::Number(number)) => number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        ("Float", Seen::Number(_)) | ("String" | "ID", Seen::Text(_)) | ("Boolean", Seen::Boolean) => true,
        ("ID", Seen::Number(number)) => number.is_i64() || number.is_u64(),
        ("Int" | "Float" | "String" | "Boolean" | "ID", _) => false,
        _ => value.constant().is_none_or(|value| scalars::is_valid(name, value)),
    }
}

/// A value, be it written in the document or given as a variable.
trait Look: Sized {
    /// JSON has no enums.
    const ENUMS_ARE_TEXT: bool;

    fn look(&self) -> Seen<'_, Self>;

    /// The same without variables; none if it has some.
    fn constant(&self) -> Option<Value>;
}

enum Seen<'a, V> {
    Null,
    Boolean,
    Number(&'a Number),
    Text(&'a str),
    Enum(&'a str),
    List(&'a [V]),
    Object(&'a IndexMap<Name, V>),
    Variable,
    Bytes,
}

impl Look for Value {
    const ENUMS_ARE_TEXT: bool = true;

    fn look(&self) -> Seen<'_, Self> {
        match self {
            Value::Null => Seen::Null,
            Value::Boolean(_) => Seen::Boolean,
            Value::Number(number) => Seen::Number(number),
            Value::String(text) => Seen::Text(text),
            Value::Enum(word) => Seen::Enum(word),
            Value::List(items) => Seen::List(items),
            Value::Object(fields) => Seen::Object(fields),
            Value::Binary(_) => Seen::Bytes,
        }
    }

    fn constant(&self) -> Option<Value> {
        Some(self.clone())
    }
}

impl Look for Written {
    const ENUMS_ARE_TEXT: bool = false;

    fn look(&self) -> Seen<'_, Self> {
        match self {
            Written::Null => Seen::Null,
            Written::Boolean(_) => Seen::Boolean,
            Written::Number(number) => Seen::Number(number),
            Written::String(text) => Seen::Text(text),
            Written::Enum(word) => Seen::Enum(word),
            Written::List(items) => Seen::List(items),
            Written::Object(fields) => Seen::Object(fields),
            Written::Variable(_) => Seen::Variable,
            Written::Binary(_) => Seen::Bytes,
        }
    }

    fn constant(&self) -> Option<Value> {
        self.clone().into_const()
    }
}
