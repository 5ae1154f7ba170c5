//! `sandbox`: runs a local Restream as a server.

use restream_oauth_sandbox::{Sandbox, StartError};

use crate::arguments::Sandbox as Options;
use crate::configuration;
use crate::failure::{Exit, Failure};
use crate::terminal::{print, say};

pub(crate) fn run(options: Options) -> Result<(), Failure> {
    let mut builder = Sandbox::builder().address(options.listen);
    if options.allow_non_loopback {
        builder = builder.allow_non_loopback();
    }
    if let Some(client_id) = options.client_id {
        builder = builder.client_id(client_id);
    }
    if options.public {
        builder = builder.public_client();
    } else if let Some(secret) = configuration::secret(options.client_secret_file.as_deref())? {
        builder = builder.client_secret(secret.as_str());
    }
    for uri in options.redirect_uri {
        builder = builder.redirect_uri(uri);
    }
    let sandbox = builder.start().map_err(|error| {
        let usage = matches!(error, StartError::NotLoopback(_) | StartError::Setting(_));
        Failure::new(if usage { Exit::Usage } else { Exit::Other }, error.to_string()).because_of(&error)
    })?;
    print(&format!("{}\n", sandbox.ready_line()))?;
    say(&format!("a local Restream is at {}; it forgets everything when it ends", sandbox.base_url()));
    sandbox.wait();
    Ok(())
}
