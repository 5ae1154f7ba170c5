//! What is done with the claim on one grant, step by step.
//!
//! ```text
//! Claiming ─▶ Preparing ─▶ Sending ─▶ Spooling ─▶ (interpret) ─▶ Committing ─▶ Settling
//!     │            │           │                      │                            ▲
//!     │            └───────────┴── nothing was sent ──┴── refused, or in doubt ────┤
//!     ├─▶ Inserting (a login) ─────────────────────────────────────────────────────┤
//!     ├─▶ Leaving ─▶ Revoking ─▶ Forgetting (a logout)                             │
//!     └─▶ Trying (a stray) ────────────────────────────────────────────────────────┘
//! ```

mod claim;
mod failure;
mod login;
mod outcome;
mod rotation;
pub(super) mod step;
mod stray;
