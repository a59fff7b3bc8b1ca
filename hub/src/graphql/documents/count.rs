//! Counting: every fragment once, sums that cannot overflow, and an answer before anything is looked at twice.

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned, Value, Variables,
    parser::types::{
        Directive, ExecutableDocument, Field, FragmentDefinition, OperationDefinition, OperationType, Selection,
        SelectionSet,
    },
};

use async_graphql_value::Value as Written;

use super::{Refusal, index::Index};
use crate::config::GraphQl;

/// What a document asks for. A field costs one, a page ten more; what lies below a page costs as often as the page is long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    pub cost: usize,
    pub depth: usize,
    aliases: usize,
    directives: usize,
    /// How many fields, fragments, arguments and values there are when every fragment is written out.
    parts: usize,
    /// How many selections lie within each other when every fragment is written out.
    nesting: usize,
    /// How often introspection goes from a type to its fields, which leads in circles.
    circles: usize,
    /// About how many fields introspection answers with.
    told: usize,
}

/// More braces within braces than this, written out or not, are no document of anybody's. Whoever walks a document
/// follows them with the stack, and so the limit is what keeps the process alive.
const NESTING: usize = 100;
/// More parts than this, written out, keep the validators busy for too long.
const PARTS: usize = 5_000;
const CIRCLES: usize = 2;
/// A page is a look of its own at the store, however short it is; within another one, for each row of that.
const PAGE: usize = 10;
/// What introspection may tell for each type there is; tools that ask for everything get along with half of it.
const TOLD_OF_EACH_TYPE: usize = 1_000;

impl Cost {
    /// How large the whole document is, written out.
    pub fn parts(&self) -> usize {
        self.parts
    }

    fn add(&mut self, other: Cost) {
        self.cost = self.cost.saturating_add(other.cost);
        self.depth = self.depth.max(other.depth);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.parts = self.parts.saturating_add(other.parts);
        self.nesting = self.nesting.max(other.nesting);
        self.circles = self.circles.max(other.circles);
        self.told = self.told.saturating_add(other.told);
    }

    /// So many parts, and nothing else.
    fn of_parts(parts: usize) -> Cost {
        Cost { parts, ..Cost::default() }
    }

    fn check(&self, limits: &GraphQl, index: &Index) -> Result<(), Refusal> {
        let told = TOLD_OF_EACH_TYPE.saturating_mul(index.types);
        for (what, asked, limit) in [
            ("the depth of the document is", self.depth, limits.max_depth),
            ("the aliases of the document are", self.aliases, limits.max_aliases),
            ("the directives of the document are", self.directives, limits.max_directives),
            ("the turns that introspection takes are", self.circles, CIRCLES),
            ("the fields that introspection answers with are", self.told, told),
        ] {
            if asked > limit {
                return Err(Refusal::TooMuch { what, asked, limit });
            }
        }
        Ok(())
    }
}

/// How deep brackets of any kind are nested, found without parsing: the parser follows them with its stack.
pub fn nesting(text: &str) -> Result<(), Refusal> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => depth = depth.saturating_sub(1),
            b'#' => at += bytes[at..].iter().take_while(|byte| !matches!(byte, b'\n' | b'\r')).count(),
            b'"' => {
                at = after_string(bytes, at);
                continue;
            }
            _ => {}
        }
        if depth > NESTING {
            return Err(Refusal::TooMuch { what: "the nesting of the document is", asked: depth, limit: NESTING });
        }
        at += 1;
    }
    Ok(())
}

/// Where the string ends, exactly as the parser sees it: whatever hid brackets from us could hide them in any number.
fn after_string(bytes: &[u8], start: usize) -> usize {
    const BLOCK: &[u8] = br#"""""#;
    if bytes[start..].starts_with(BLOCK) {
        let mut at = start + BLOCK.len();
        while at < bytes.len() {
            if bytes[at..].starts_with(BLOCK) {
                return at + BLOCK.len();
            }
            at += if bytes[at..].starts_with(br#"\""""#) { 1 + BLOCK.len() } else { 1 };
        }
        // Where it never ends, the parser takes it for an empty string with something behind it.
        return start + 2;
    }
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            // A string that never ends is the parser's to complain about.
            b'\n' | b'\r' => return at,
            _ => at += 1,
        }
    }
    at
}

/// The type that an operation begins with.
pub fn root(ty: OperationType) -> &'static str {
    match ty {
        OperationType::Query => "Query",
        OperationType::Mutation => "Mutation",
        OperationType::Subscription => "Subscription",
    }
}

/// Counts every operation and fragment of the document, and answers for the one that is meant.
pub fn count(
    document: &ExecutableDocument,
    index: &Index,
    variables: &Variables,
    meant: Option<&Name>,
    limits: &GraphQl,
) -> Result<Cost, Refusal> {
    let mut answer = Cost::default();
    // Whatever stands in the document is validated, be it meant or used or neither.
    let mut parts = 0_usize;
    let mut add = |sum: &Cost| {
        parts = parts.saturating_add(sum.parts);
        let what = "the parts of the document, written out, are";
        if parts > PARTS { Err(Refusal::TooMuch { what, asked: parts, limit: PARTS }) } else { Ok(()) }
    };
    for (name, operation) in document.operations.iter() {
        // Sizes of pages are variables of an operation, so that a fragment may cost differently in another one.
        let fragments = HashMap::new();
        let operation = &operation.node;
        let mut counter = Counter { document, index, variables, operation, limits, fragments, level: 0 };
        let mut sum = counter.directives(&operation.directives);
        for declared in &operation.variable_definitions {
            let default = declared.node.default_value.as_ref().map_or(0, |default| values_in(&default.node));
            sum.add(counter.directives(&declared.node.directives));
            sum.add(Cost::of_parts(1 + default));
        }
        sum.add(counter.set(&operation.selection_set.node, root(operation.ty))?);
        add(&sum)?;
        sum.check(limits, index)?;
        if name == meant {
            answer = sum;
            for (name, fragment) in &document.fragments {
                let sum = counter.fragment(name, fragment)?;
                add(&sum)?;
                sum.check(limits, index)?;
            }
        }
    }
    answer.parts = parts;
    if answer.cost > limits.max_cost {
        return Err(Refusal::TooMuch {
            what: "the cost of the document is",
            asked: answer.cost,
            limit: limits.max_cost,
        });
    }
    Ok(answer)
}

struct Counter<'a> {
    document: &'a ExecutableDocument,
    index: &'a Index,
    variables: &'a Variables,
    operation: &'a OperationDefinition,
    limits: &'a GraphQl,
    /// None while it is being counted: whoever meets that goes in a circle.
    fragments: HashMap<&'a Name, Option<Cost>>,
    /// How many selections we are in.
    level: usize,
}

impl<'a> Counter<'a> {
    fn set(&mut self, set: &'a SelectionSet, parent: &str) -> Result<Cost, Refusal> {
        let mut sum = Cost::default();
        if set.items.is_empty() {
            return Ok(sum);
        }
        self.level += 1;
        within(self.level)?;
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => sum.add(self.field(&field.node, parent)?),
                Selection::InlineFragment(inline) => {
                    let condition = inline.node.type_condition.as_ref().map(|condition| &condition.node.on.node);
                    sum.add(self.directives(&inline.node.directives));
                    sum.add(Cost::of_parts(1));
                    let parent = condition.map_or(parent, Name::as_str);
                    sum.add(self.set(&inline.node.selection_set.node, parent)?);
                }
                Selection::FragmentSpread(spread) => {
                    sum.add(self.directives(&spread.node.directives));
                    sum.add(Cost::of_parts(1));
                    // One that is not defined is the validator's to complain about.
                    if let Some((name, fragment)) =
                        self.document.fragments.get_key_value(&spread.node.fragment_name.node)
                    {
                        sum.add(self.fragment(name, fragment)?);
                    }
                }
            }
        }
        self.level -= 1;
        sum.nesting += 1;
        Ok(sum)
    }

    fn fragment(&mut self, name: &'a Name, fragment: &'a Positioned<FragmentDefinition>) -> Result<Cost, Refusal> {
        match self.fragments.get(name) {
            Some(Some(known)) => {
                within(self.level + known.nesting)?;
                return Ok(*known);
            }
            Some(None) => return Err(Refusal::BadRequest(format!("the fragment {name} contains itself"))),
            None => {}
        }
        self.fragments.insert(name, None);
        let mut sum = self.directives(&fragment.node.directives);
        sum.add(self.set(&fragment.node.selection_set.node, fragment.node.type_condition.node.on.node.as_str())?);
        self.fragments.insert(name, Some(sum));
        Ok(sum)
    }

    fn field(&mut self, field: &'a Field, parent: &str) -> Result<Cost, Refusal> {
        let name = field.name.node.as_str();
        if !self.limits.introspection && matches!(name, "__schema" | "__type") {
            return Err(Refusal::BadRequest("introspection is switched off here".to_owned()));
        }
        let mut sum = self.directives(&field.directives);
        sum.add(Cost { cost: 1, depth: 1, aliases: usize::from(field.alias.is_some()), ..Cost::default() });
        sum.add(Cost::of_parts(1 + arguments(&field.arguments)));
        let leads = self.index.field(parent, name);
        let mut below = match leads {
            Some(leads) => self.set(&field.selection_set.node, &leads.to)?,
            None => self.set(&field.selection_set.node, "")?,
        };
        let times = leads.map_or(1, |leads| self.times(field, leads));
        if leads.is_some_and(|leads| leads.is_page) {
            sum.cost += PAGE;
        }
        below.cost = below.cost.saturating_mul(times);
        if leads.is_none() {
            below.told = below.told.saturating_mul(self.index.listed(name)).saturating_add(1);
        }
        // Introspection is deep by nature and cheap in depth; its danger are the circles.
        below.depth = if name.starts_with("__") { 0 } else { below.depth + 1 };
        below.circles +=
            usize::from(leads.is_none() && matches!(name, "fields" | "inputFields" | "possibleTypes" | "interfaces"));
        sum.add(below);
        Ok(sum)
    }

    /// How often what lies below the field is asked for.
    fn times(&self, field: &Field, leads: &super::index::Leads) -> usize {
        let argument = |name: &str| field.get_argument(name).and_then(|value| self.value(&value.node));
        let size = |name| match argument(name) {
            Some(Value::Number(size)) => size.as_u64().and_then(|size| usize::try_from(size).ok()).unwrap_or(0),
            _ => 0,
        };
        let mut times = if leads.is_page { size("first").max(size("last")).max(1) } else { 1 };
        for list in &leads.lists {
            if let Some(Value::List(items)) = argument(list) {
                times = times.saturating_mul(items.len().max(1));
            }
        }
        times
    }

    fn value(&self, value: &Written) -> Option<Value> {
        value.clone().into_const_with(|name| self.variable(&name).ok_or(())).ok()
    }

    fn variable(&self, name: &Name) -> Option<Value> {
        if let Some(value) = self.variables.get(name) {
            return Some(value.clone());
        }
        let declared = self.operation.variable_definitions.iter().find(|found| found.node.name.node == *name)?;
        declared.node.default_value.as_ref().map(|default| default.node.clone())
    }

    #[expect(clippy::unused_self, reason = "it reads like its sisters")]
    fn directives(&self, directives: &[Positioned<Directive>]) -> Cost {
        let parts = directives.iter().map(|directive| 1 + arguments(&directive.node.arguments)).sum();
        Cost { directives: directives.len(), ..Cost::of_parts(parts) }
    }
}

fn within(level: usize) -> Result<(), Refusal> {
    let what = "the nesting of the document, written out, is";
    if level > NESTING { Err(Refusal::TooMuch { what, asked: level, limit: NESTING }) } else { Ok(()) }
}

fn arguments(arguments: &[(Positioned<Name>, Positioned<Written>)]) -> usize {
    arguments.iter().map(|(_, value)| values(&value.node)).sum()
}

/// A value and what lies in it.
fn values(value: &Written) -> usize {
    match value {
        Written::List(items) => items.iter().map(values).sum::<usize>() + 1,
        Written::Object(fields) => fields.values().map(values).sum::<usize>() + 1,
        _ => 1,
    }
}

fn values_in(value: &Value) -> usize {
    match value {
        Value::List(items) => items.iter().map(values_in).sum::<usize>() + 1,
        Value::Object(fields) => fields.values().map(values_in).sum::<usize>() + 1,
        _ => 1,
    }
}
