//! Authorization servers as they are: each file has the habits of one product, and the right answer to them.

mod entra;
mod github;
mod home_made;
mod keycloak;
