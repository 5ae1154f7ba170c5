//! Two stores on other clients of PostgreSQL, each in 40 lines or fewer: the statements and their meaning are those of
//! [`restream_oauth_keeper_postgres`]. They pass the same contract. Copy the one that you need.
//!
//! They do what is needed and no more: no second attempt, no connection that is opened again, nothing that is written again
//! after a failover. `PostgresStore` does all of it.

pub mod postgres_store;
pub mod sqlx_store;
