//! What somebody without Supabase needs in its place: a Postgres, an issuer of tokens, a store for media.

pub mod media_server;
pub mod postgres;
