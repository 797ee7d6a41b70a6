//! Authorization servers as they are: each file has the habits of one product, and the right answer to them.

mod auth0;
mod entra;
mod github;
mod google;
mod home_made;
mod hydra;
mod keycloak;
