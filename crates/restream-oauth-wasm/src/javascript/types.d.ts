/** A registered application. */
export interface ClientOptions {
  clientId: string;
  /** For code that runs on a server or at the edge. A page or a device must not hold it. */
  clientSecret?: string;
  /** How the secret is sent: in a Basic header (the default) or in the form. */
  clientAuthentication?: "basic" | "body";
  /** One of the redirect URIs that are registered for the application. */
  redirectUri: string;
  /** Another server than Restream's with the same paths, such as a local sandbox. */
  baseUrl?: string;
  /** For a whole call, in milliseconds; 90,000 unless set. */
  timeLimit?: number;
  /** The longest answer that is read, in bytes; 262,144 unless set. */
  bodyLimit?: number;
}

export interface LoginOptions {
  /** Restream grants those of the application's settings unless set. */
  scopes?: string[];
  /** Further query parameters of the authorization URL. */
  parameters?: Record<string, string>;
}

/** Times are in milliseconds since 1970, as `Date.now()` gives them. */
export interface Tokens {
  accessToken: string;
  /** Used once, for the next pair. Save it before anything else is done. */
  refreshToken?: string;
  tokenType: string;
  /** What was granted, if the answer said so. It may be less than was asked for. */
  scopes?: string[];
  /** When the request was sent. Lifetimes count from here. */
  sentAt: number;
  expiresAt: number;
  refreshExpiresAt: number;
  /** What was strange about the answer, and tolerated. */
  oddities: string[];
}

export interface Profile {
  id: string;
  username?: string;
  email?: string;
}

export type TokenTypeHint = "access_token" | "refresh_token";

/** Did the server perhaps act on it? Restream rotates: a refresh in doubt may have spent the refresh token. */
export type Delivery = "not_sent" | "unknown" | "refused" | "completed";

/**
 * What to do now: build and send the call again (`retry`); send the same refresh token once more, soon and from one
 * place only (`replay`); refresh the access token (`refresh`); log in again (`reauthorize`); correct identifier, secret,
 * scopes or URLs (`fix_configuration`); give up (`abort`).
 */
export type Advice = "retry" | "replay" | "refresh" | "reauthorize" | "fix_configuration" | "abort";

/** A call that did not give what was asked for. */
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
  /** The server's error code when it refused, such as `invalid_grant`. */
  code?: string;
  /** The HTTP status, if an answer came. A browser hides that of a redirect: then it is 302. */
  status?: number;
  /** How long the server asked to wait, in milliseconds. */
  retryAfter?: number;
  /** What the server wrote for people: untrusted, cut and escaped. */
  serverMessage?: string;
  /** The one token that arrived when the other did not. */
  salvaged?: { accessToken: string } | { refreshToken: string };
}

/** A callback that gives no code. The login stays open for the real one. */
export interface CallbackError extends Error {
  name: "CallbackError";
  kind:
    | "wrong_place"
    /** Restream's way of saying that the user denied. Anyone can send this: tell the user and keep waiting a while. */
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
  /** The server's error code when it refused, such as `access_denied`. */
  code?: string;
  serverMessage?: string;
}

/** A value that cannot be used. Nothing was sent. */
export interface ConfigurationError extends Error {
  name: "ConfigurationError";
}
