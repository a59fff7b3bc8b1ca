//! Connections as Relay has them: edges and nodes, and what lies before and after.

use std::borrow::Cow;

use async_graphql::{ContainerType, Object, SimpleObject, TypeName};
use jackfield_domain::pages::Slice;

use super::{lean::Lean, scalars::Cursor};

/// Where a page lies in its list.
#[derive(SimpleObject, Clone)]
pub struct PageInfo {
    /// Whether there is more before this page.
    has_previous_page: bool,
    /// Whether there is more after this page.
    has_next_page: bool,
    /// The cursor of the first edge.
    start_cursor: Option<String>,
    /// The cursor of the last edge.
    end_cursor: Option<String>,
}

/// A node and its place in the list.
#[derive(SimpleObject)]
#[graphql(name_type)]
pub struct Edge<N: ContainerType> {
    /// Hand it back as `after` or `before` to go on from here.
    cursor: String,
    /// What the edge leads to.
    node: Lean<N>,
}

impl<N: ContainerType> TypeName for Edge<N> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Edge", <N as async_graphql::OutputType>::type_name()).into()
    }
}

/// A page of a list.
pub struct Connection<N: ContainerType> {
    edges: Vec<Edge<N>>,
    page_info: PageInfo,
}

impl<N: ContainerType> TypeName for Connection<N> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Connection", <N as async_graphql::OutputType>::type_name()).into()
    }
}

/// A page of a list.
#[Object(name_type)]
impl<N: ContainerType> Connection<N> {
    /// The nodes with their cursors, in the order of the list.
    async fn edges(&self) -> Vec<Lean<&Edge<N>>> {
        self.edges.iter().map(Lean).collect()
    }

    /// The nodes alone, for who needs no cursors.
    async fn nodes(&self) -> Vec<&Lean<N>> {
        self.edges.iter().map(|edge| &edge.node).collect()
    }

    /// Where this page lies.
    async fn page_info(&self) -> &PageInfo {
        &self.page_info
    }
}

impl<N: ContainerType> Connection<N> {
    /// A page of what the store found.
    pub fn of<T, C: Cursor>(slice: Slice<T>, cursor: impl Fn(&T) -> C, node: impl Fn(T) -> N) -> Self {
        let (has_previous_page, has_next_page) = (slice.has_previous, slice.has_next);
        let edges: Vec<Edge<N>> = slice
            .items
            .into_iter()
            .map(|item| Edge { cursor: cursor(&item).write(), node: Lean(node(item)) })
            .collect();
        let page_info = PageInfo {
            has_previous_page,
            has_next_page,
            start_cursor: edges.first().map(|edge| edge.cursor.clone()),
            end_cursor: edges.last().map(|edge| edge.cursor.clone()),
        };
        Connection { edges, page_info }
    }
}
