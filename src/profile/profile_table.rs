//! The table `[profiles.NAME]`. `profile add` takes its keys as options and `profile show` prints them.
#![allow(clippy::doc_markdown, reason = "these comments are the help of `profile add`")]

use crate::client::{ClientAuth, Endpoints, Standard};
use crate::login::TokenKind;
use crate::storage::StorageKind;
use crate::storage::etcd_settings::Settings;
use crate::ui::{Interactive, SignInWay};
use crate::values::{
    EndpointUrl, Host, IssuerUrl, OneLine, Parameter, RedirectUri, file, parameters,
};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Where a copy of the access token of a keyring login may be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cache {
    /// in memory, until the machine restarts
    #[default]
    Runtime,
    /// nowhere
    None,
}

/// What is done with ID tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdTokens {
    /// accept a sign-in only if its ID token is valid
    #[default]
    Verify,
    /// do not store them; the userinfo endpoint says who signed in
    Ignore,
}

/// The keys of a profile. Only the built-in profile has neither issuer nor client_id.
#[derive(Clone, Debug, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct ProfileTable {
    /// Sign in at this issuer, written exactly as in its discovery document
    #[arg(long, value_name = "URL", required_unless_present = "preset")]
    pub issuer: Option<IssuerUrl>,

    /// Use this client id
    #[arg(long, value_name = "ID", required_unless_present = "preset")]
    pub client_id: Option<OneLine>,

    /// Read the client's secret from this file
    #[arg(long, value_name = "FILE")]
    #[serde(deserialize_with = "file")]
    pub client_secret_file: Option<PathBuf>,

    /// Choose how the client sends its secret [default: as the server lists]
    #[arg(long, value_name = "HOW")]
    pub client_auth: Option<ClientAuth>,

    /// Request these scopes
    #[arg(long, value_name = "SCOPES")]
    pub scope: Option<OneLine>,

    /// Request a token for this audience
    #[arg(long, value_name = "NAME")]
    pub audience: Option<OneLine>,

    /// Request a token for this resource (RFC 8707)
    #[arg(long, value_name = "URL")]
    pub resource: Option<OneLine>,

    /// Send tokens to this host; can be given more than once
    #[arg(long = "host", value_name = "HOST")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<Host>,

    /// Hand out this token in every format [default: access]
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<TokenKind>,

    /// Answer git with this user name, and with the token as password
    #[arg(long, value_name = "NAME")]
    pub git_username: Option<OneLine>,

    /// Keep the login in this storage [default: file]
    #[arg(long, value_name = "STORAGE")]
    pub storage: Option<StorageKind>,

    /// Choose where a copy of the access token of a keyring login is kept [default: runtime]
    #[arg(long, value_name = "CACHE")]
    pub cache: Option<Cache>,

    #[arg(skip)]
    #[serde(skip_serializing)]
    pub etcd: Option<Settings>,

    // Set by the global option --account.
    #[arg(skip)]
    pub account: Option<OneLine>,

    /// Accept only logins for this workspace
    #[arg(long, value_name = "ID")]
    pub workspace: Option<OneLine>,

    /// Choose whether the user may be asked to sign in [default: auto]
    #[arg(long, value_name = "WHEN")]
    pub interactive: Option<Interactive>,

    /// Choose what is done with ID tokens [default: verify]
    #[arg(long, value_name = "WHAT")]
    pub id_token: Option<IdTokens>,

    /// Choose how the user signs in [default: device]
    #[arg(long, value_name = "WAY")]
    pub sign_in: Option<SignInWay>,

    /// Let the browser come back to this address of this machine, with any port if it has none
    /// [default: http://127.0.0.1/callback]
    #[arg(long, value_name = "URL")]
    pub redirect_uri: Option<RedirectUri>,

    /// Override the discovered endpoint for a sign-in with a browser (RFC 6749)
    #[arg(long, value_name = "URL")]
    pub authorization_endpoint: Option<EndpointUrl>,

    /// Override the discovered endpoint (RFC 8628)
    #[arg(long, value_name = "URL")]
    pub device_authorization_endpoint: Option<EndpointUrl>,

    /// Override the discovered endpoint (RFC 6749)
    #[arg(long, value_name = "URL")]
    pub token_endpoint: Option<EndpointUrl>,

    /// Override the discovered endpoint (RFC 7009)
    #[arg(long, value_name = "URL")]
    pub revocation_endpoint: Option<EndpointUrl>,

    /// Override the discovered URL of the issuer's keys
    #[arg(long, value_name = "URL")]
    pub jwks_uri: Option<EndpointUrl>,

    /// Override the discovered endpoint (OpenID Connect)
    #[arg(long, value_name = "URL")]
    pub userinfo_endpoint: Option<EndpointUrl>,

    /// Send this parameter with device and token requests; can be given more than once
    #[arg(long = "parameter", value_name = "NAME=VALUE")]
    #[serde(with = "parameters", skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
}

impl ProfileTable {
    /// Makes relative paths start at `folder`.
    pub fn resolve(&mut self, folder: &Path) {
        let etcd = self.etcd.as_mut().map(Settings::files_mut);
        for file in self.client_secret_file.iter_mut().chain(etcd.into_iter().flatten()) {
            *file = folder.join(&file);
        }
    }

    /// Returns the settings for a standard authorization server.
    pub fn standard(&self) -> Standard {
        Standard {
            client_secret_file: self.client_secret_file.clone(),
            client_auth: self.client_auth,
            scope: self.scope.clone(),
            audience: self.audience.clone(),
            resource: self.resource.clone(),
            parameters: self.parameters.clone(),
            redirect_uri: self.redirect_uri.clone(),
            endpoints: Endpoints {
                authorization_endpoint: self.authorization_endpoint.clone(),
                device_authorization_endpoint: self.device_authorization_endpoint.clone(),
                token_endpoint: self.token_endpoint.clone(),
                revocation_endpoint: self.revocation_endpoint.clone(),
                jwks_uri: self.jwks_uri.clone(),
                userinfo_endpoint: self.userinfo_endpoint.clone(),
            },
        }
    }
}
