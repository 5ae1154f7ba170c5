/** A registered application. */
export interface ClientOptions {
  clientId: string;
  /** For code that runs on a server or at the edge. A page or a device must not have it. */
  clientSecret?: string;
  /** How the secret is sent: in a Basic header (the default) or in the form. */
  clientAuthentication?: "basic" | "body";
  /** A redirect URI that is registered for the application. */
  redirectUri: string;
  /** The base URL of another server with Restream's paths, such as a local sandbox. */
  baseUrl?: string;
  /** The time limit for a whole call, in milliseconds. 90,000 by default. */
  timeLimit?: number;
  /** The largest body of an answer that is read, in bytes. 262,144 by default. */
  bodyLimit?: number;
}

export interface LoginOptions {
  /** The scopes to ask for. By default, Restream grants those of the application's settings. */
  scopes?: string[];
  /** Further query parameters of the authorization URL. */
  parameters?: Record<string, string>;
}

/** Times are in milliseconds since 1970, as `Date.now()` gives them. */
export interface Tokens {
  accessToken: string;
  /** The token for the next pair. It works once. Save it before you do anything else. */
  refreshToken?: string;
  tokenType: string;
  /** The granted scopes, if the answer names them. They may be fewer than the login asked for. */
  scopes?: string[];
  /** The time when the request was sent. Lifetimes count from it. */
  sentAt: number;
  expiresAt: number;
  refreshExpiresAt: number;
  /** The deviations of the answer that were tolerated. */
  oddities: string[];
}

export interface Profile {
  id: string;
  username?: string;
  email?: string;
}

export type TokenTypeHint = "access_token" | "refresh_token";

/**
 * Whether the server may have acted on the request. Restream rotates, so a refresh in doubt may have used the refresh
 * token.
 */
export type Delivery = "not_sent" | "unknown" | "refused" | "completed";

/**
 * What to do now:
 *
 * - `retry`: build and send the call again.
 * - `replay`: send the same refresh token once more, soon, and from one place only.
 * - `refresh`: refresh the access token.
 * - `reauthorize`: log in again.
 * - `fix_configuration`: correct the identifier, the secret, the scopes or the URLs.
 * - `abort`: give up.
 */
export type Advice = "retry" | "replay" | "refresh" | "reauthorize" | "fix_configuration" | "abort";

/** The error of a failed call. */
export interface RoundTripError extends Error {
  name: "RoundTripError";
  kind:
    | "refused"
    | "status"
    | "redirected"
    | "malformed"
    | "too_large"
    | "connect"
    | "tls"
    | "timeout"
    | "interrupted"
    | "protocol"
    | "other";
  delivery: Delivery;
  advice: Advice;
  /** The server's error code, such as `invalid_grant`. */
  code?: string;
  /** The HTTP status, if an answer arrived. A browser hides the status of a redirect; this is then 303. */
  status?: number;
  /** The time to wait, in milliseconds, if the server named one. */
  retryAfter?: number;
  /** The server's message for people. It is untrusted, and it is truncated and escaped. */
  serverMessage?: string;
  /** The token that arrived although the other one did not. */
  salvaged?: { accessToken: string } | { refreshToken: string };
}

/** The error of a callback without a code. The login keeps waiting for the real callback. */
export interface CallbackError extends Error {
  name: "CallbackError";
  kind:
    | "wrong_place"
    /** Restream sends this when the user denied. Anyone can send it: inform the user, and keep waiting a while. */
    | "no_parameters"
    | "doubled"
    | "unreadable"
    | "state_missing"
    | "state_mismatch"
    | "already_used"
    | "code_and_error"
    | "code_missing"
    | "refused"
    | "other";
  /** The server's error code, such as `access_denied`. */
  code?: string;
  serverMessage?: string;
}

/** A value that cannot be used. Nothing was sent. */
export interface ConfigurationError extends Error {
  name: "ConfigurationError";
}
