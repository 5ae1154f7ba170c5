//! What a broker's configuration means for the protocol.

use crate::settings::{Mode, RedirectUri, Settings};

/// The rules of one broker. They were checked when the configuration was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The issuer identifier (RFC 8414 §2): scheme, host and port, without a path and without a slash at the end.
    pub issuer: String,
    /// The clients of the plain door.
    pub clients: Vec<Client>,
    /// The path of OBS's door, which begins and ends with a slash; `None` without that door.
    pub obs_prefix: Option<String>,
    /// True for a relay: devices get the pair of Restream, and no handle.
    pub is_relay: bool,
}

/// A public client that may use the plain door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its identifier, which users see.
    pub id: String,
    /// Where its codes may go.
    pub redirect_uris: Vec<RedirectUri>,
    /// The origins of its pages (RFC 6454), as browsers write them. Programs that are no page send none.
    pub origins: Vec<String>,
}

impl From<&Settings> for Rules {
    fn from(settings: &Settings) -> Self {
        let client = |client: &crate::settings::RegisteredClient| Client {
            id: client.id.to_string(),
            redirect_uris: client.redirect_uris.clone(),
            origins: client.origins.iter().map(|origin| origin.as_str().to_owned()).collect(),
        };
        Self {
            issuer: settings.issuer.as_str().to_owned(),
            clients: settings.clients.iter().map(client).collect(),
            obs_prefix: settings.obs.as_ref().map(|door| door.prefix().to_owned()),
            is_relay: matches!(settings.mode, Mode::Relay),
        }
    }
}

impl Rules {
    /// The client with this identifier.
    pub fn client(&self, id: &str) -> Option<&Client> {
        self.clients.iter().find(|client| client.id == id)
    }

    /// True if a path is behind OBS's door.
    pub fn is_obs(&self, path: &str) -> bool {
        self.obs_prefix.as_deref().is_some_and(|prefix| path.starts_with(prefix))
    }

    /// True if the issuer is reached over https, so that cookies can be confined to it.
    pub fn is_https(&self) -> bool {
        self.issuer.starts_with("https://")
    }
}

impl Client {
    /// True if a code may go to this redirect URI.
    pub fn may_use(&self, redirect_uri: &str) -> bool {
        self.redirect_uris.iter().any(|registered| registered.matches(redirect_uri))
    }
}
