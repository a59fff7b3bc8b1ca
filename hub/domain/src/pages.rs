//! Pages: which part of an ordered list somebody wants, by the rules of Relay.

use crate::Rejection;

/// At most so many at once.
pub const MAX: i32 = 100;

/// Which way a page is walked from its cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// `first`, `after`: from the beginning of the list towards its end.
    Forward,
    /// `last`, `before`: from its end towards the beginning.
    Backward,
}

/// A page that may be asked of the store; `C` is what the list is ordered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<C> {
    pub direction: Direction,
    pub size: usize,
    /// Strictly beyond this, in the direction of the walk.
    pub from: Option<C>,
}

impl<C> Page<C> {
    /// Exactly one of `first` and `last`, from 1 to [`MAX`], with the cursor of its own side.
    pub fn check(
        first: Option<i32>,
        after: Option<C>,
        last: Option<i32>,
        before: Option<C>,
    ) -> Result<Self, Rejection> {
        let (direction, size, field, from) = match (first, last, after, before) {
            (Some(size), None, after, None) => (Direction::Forward, size, "first", after),
            (None, Some(size), None, before) => (Direction::Backward, size, "last", before),
            (Some(_), None, _, Some(_)) => {
                return Err(Rejection::Invalid { field: "before", expected: "used with last" });
            }
            (None, Some(_), Some(_), _) => {
                return Err(Rejection::Invalid { field: "after", expected: "used with first" });
            }
            _ => return Err(Rejection::Invalid { field: "first", expected: "given, or last, but not both" }),
        };
        match usize::try_from(size) {
            Ok(size @ 1..=100) => Ok(Page { direction, size, from }),
            _ => Err(Rejection::Invalid { field, expected: "from 1 to 100" }),
        }
    }
}

/// What the store found, in the order of the list, whichever way it was walked.
#[derive(Debug, Clone)]
pub struct Slice<T> {
    pub items: Vec<T>,
    pub has_previous: bool,
    pub has_next: bool,
}

impl<T> Slice<T> {
    /// From rows in the order of the walk, of which one more than the page's size was asked for.
    pub fn of_walk<C>(page: &Page<C>, mut rows: Vec<T>) -> Self {
        let more = rows.len() > page.size;
        rows.truncate(page.size);
        // That there is something behind the cursor is what the cursor itself says.
        let behind = page.from.is_some();
        match page.direction {
            Direction::Forward => Slice { items: rows, has_previous: behind, has_next: more },
            Direction::Backward => {
                rows.reverse();
                Slice { items: rows, has_previous: more, has_next: behind }
            }
        }
    }

    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Slice<U> {
        Slice {
            items: self.items.into_iter().map(change).collect(),
            has_previous: self.has_previous,
            has_next: self.has_next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for() {
        let check = |first, after, last, before| Page::<i64>::check(first, after, last, before).map_err(|r| r.field());
        let page = |direction, size, from| Ok(Page { direction, size, from });
        assert_eq!(check(Some(5), None, None, None), page(Direction::Forward, 5, None));
        assert_eq!(check(None, None, Some(100), Some(7)), page(Direction::Backward, 100, Some(7)));
        assert_eq!(check(None, None, None, None), Err(Some("first")));
        assert_eq!(check(Some(1), None, Some(1), None), Err(Some("first")));
        assert_eq!(check(Some(1), None, None, Some(1)), Err(Some("before")));
        assert_eq!(check(None, Some(1), Some(1), None), Err(Some("after")));
        for size in [0, -1, 101, i32::MAX] {
            assert_eq!(check(Some(size), None, None, None), Err(Some("first")));
            assert_eq!(check(None, None, Some(size), None), Err(Some("last")));
        }
    }

    #[test]
    fn what_is_found() {
        let backward = Page { direction: Direction::Backward, size: 2, from: Some(9) };
        let slice = Slice::of_walk(&backward, vec![8, 7, 6]);
        assert_eq!((slice.items, slice.has_previous, slice.has_next), (vec![7, 8], true, true));
        let forward = Page::<i64> { direction: Direction::Forward, size: 2, from: None };
        let slice = Slice::of_walk(&forward, vec![1, 2]);
        assert_eq!((slice.items, slice.has_previous, slice.has_next), (vec![1, 2], false, false));
    }
}
