//! Guards in a row, guards that can be absent, guards behind one pointer.

use std::{ops::ControlFlow, sync::Arc};

use http::request::Parts;

use super::{End, Guard};
use crate::{Facts, Response};

/// What came of entering a chain: a refused request still holds the tickets of the guards it had passed.
#[doc(hidden)]
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "hidden, and there is no third outcome")]
pub enum Entry<T> {
    Admitted(T),
    Refused(Option<T>, Response),
}

/// Two guards as one: `outer` sees the request first and the response last. Made by [`Guard::then`].
#[derive(Debug, Clone)]
pub struct Then<A, B> {
    pub(super) outer: A,
    pub(super) inner: B,
}

impl<A: Guard, B: Guard> Guard for Then<A, B> {
    type Ticket = (A::Ticket, Option<B::Ticket>);
    const WATCHES_END: bool = A::WATCHES_END || B::WATCHES_END;

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, Self::Ticket> {
        match self.enter(head) {
            Entry::Admitted(ticket) => ControlFlow::Continue(ticket),
            Entry::Refused(ticket, mut response) => {
                if let Some(mut ticket) = ticket {
                    self.leave(&mut ticket, &mut response, head.extensions.get());
                    self.finish(ticket, End::Complete);
                }
                ControlFlow::Break(response)
            }
        }
    }

    fn on_response(&self, ticket: &mut Self::Ticket, response: &mut Response) {
        self.leave(ticket, response, None);
    }

    fn on_end(&self, ticket: Self::Ticket, end: End) {
        self.finish(ticket, end);
    }

    fn watches_end(&self, ticket: &Self::Ticket) -> bool {
        let inner = ticket.1.as_ref().is_some_and(|inner| self.inner.watches_end(inner));
        inner || self.outer.watches_end(&ticket.0)
    }

    #[inline]
    fn enter(&self, head: &mut Parts) -> Entry<Self::Ticket> {
        match self.outer.enter(head) {
            Entry::Admitted(outer) => match self.inner.enter(head) {
                Entry::Admitted(inner) => Entry::Admitted((outer, Some(inner))),
                Entry::Refused(inner, response) => Entry::Refused(Some((outer, inner)), response),
            },
            Entry::Refused(outer, response) => Entry::Refused(outer.map(|outer| (outer, None)), response),
        }
    }

    #[inline]
    fn leave(&self, ticket: &mut Self::Ticket, response: &mut Response, facts: Option<&Facts>) {
        if let Some(inner) = &mut ticket.1 {
            self.inner.leave(inner, response, facts);
        }
        self.outer.leave(&mut ticket.0, response, facts);
    }

    #[inline]
    fn finish(&self, ticket: Self::Ticket, end: End) {
        if let Some(inner) = ticket.1 {
            self.inner.finish(inner, end);
        }
        self.outer.finish(ticket.0, end);
    }
}

/// A guard that can be absent: `None` lets everything through untouched.
impl<G: Guard> Guard for Option<G> {
    type Ticket = Option<G::Ticket>;
    const WATCHES_END: bool = G::WATCHES_END;

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, Self::Ticket> {
        match self {
            Some(guard) => guard.on_request(head).map_continue(Some),
            None => ControlFlow::Continue(None),
        }
    }

    fn on_response(&self, ticket: &mut Self::Ticket, response: &mut Response) {
        if let (Some(guard), Some(ticket)) = (self, ticket) {
            guard.on_response(ticket, response);
        }
    }

    fn on_end(&self, ticket: Self::Ticket, end: End) {
        if let (Some(guard), Some(ticket)) = (self, ticket) {
            guard.on_end(ticket, end);
        }
    }

    fn watches_end(&self, ticket: &Self::Ticket) -> bool {
        matches!((self, ticket), (Some(guard), Some(ticket)) if guard.watches_end(ticket))
    }

    #[inline]
    fn enter(&self, head: &mut Parts) -> Entry<Self::Ticket> {
        match self.as_ref().map(|guard| guard.enter(head)) {
            None => Entry::Admitted(None),
            Some(Entry::Admitted(ticket)) => Entry::Admitted(Some(ticket)),
            Some(Entry::Refused(ticket, response)) => Entry::Refused(ticket.map(Some), response),
        }
    }

    #[inline]
    fn leave(&self, ticket: &mut Self::Ticket, response: &mut Response, facts: Option<&Facts>) {
        if let (Some(guard), Some(ticket)) = (self, ticket) {
            guard.leave(ticket, response, facts);
        }
    }

    #[inline]
    fn finish(&self, ticket: Self::Ticket, end: End) {
        if let (Some(guard), Some(ticket)) = (self, ticket) {
            guard.finish(ticket, end);
        }
    }
}

/// A whole chain behind one pointer, so that a clone per request costs one count.
impl<G: Guard> Guard for Arc<G> {
    type Ticket = G::Ticket;
    const WATCHES_END: bool = G::WATCHES_END;

    fn on_request(&self, head: &mut Parts) -> ControlFlow<Response, Self::Ticket> {
        G::on_request(self, head)
    }

    fn on_response(&self, ticket: &mut Self::Ticket, response: &mut Response) {
        G::on_response(self, ticket, response);
    }

    fn on_end(&self, ticket: Self::Ticket, end: End) {
        G::on_end(self, ticket, end);
    }

    fn watches_end(&self, ticket: &Self::Ticket) -> bool {
        G::watches_end(self, ticket)
    }

    fn enter(&self, head: &mut Parts) -> Entry<Self::Ticket> {
        G::enter(self, head)
    }

    fn leave(&self, ticket: &mut Self::Ticket, response: &mut Response, facts: Option<&Facts>) {
        G::leave(self, ticket, response, facts);
    }

    fn finish(&self, ticket: Self::Ticket, end: End) {
        G::finish(self, ticket, end);
    }
}
