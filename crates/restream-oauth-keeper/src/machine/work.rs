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
//!
//! If the claim has run out before a refresh token that came alone was settled, `Comparing` and `Committing` follow.
//! If what was settled is the death of the grant, `LookingBack` follows: a pair may have been parked since the claim.

mod claim;
mod failure;
mod login;
mod outcome;
mod rotation;
pub(super) mod step;
mod stray;
