//! Where a platform has no Unix sockets, there is no `--socket`.

use std::path::Path;

use crate::commands::keep::offer::Offer;
use crate::failure::Failure;

pub(crate) enum Socket {}
pub(crate) enum Server {}

impl Socket {
    pub(crate) async fn bind(_: &Path) -> Result<Self, Failure> {
        Err(Failure::usage("--socket: this platform has no Unix sockets"))
    }

    pub(crate) fn serve(self, _: &Offer) -> Server {
        match self {}
    }
}

impl Server {
    pub(crate) async fn end(self) {
        match self {}
    }
}
