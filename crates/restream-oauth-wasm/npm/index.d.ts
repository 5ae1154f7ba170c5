export { AuthorizationCode, Client, Login, stateOf } from "./restream_oauth.js";
export type {
  Advice,
  CallbackError,
  ClientOptions,
  ConfigurationError,
  Delivery,
  LoginOptions,
  Profile,
  RoundTripError,
  TokenTypeHint,
  Tokens,
} from "./restream_oauth.js";
