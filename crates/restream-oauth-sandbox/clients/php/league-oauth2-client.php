<?php
// league/oauth2-client: a GenericProvider and a refresh, as its page "Basic Usage" shows under "Refreshing a Token". It
// does not refresh alone: the program asks whether the token has expired, and stores the new one.

require 'GuzzleHttp/autoload.php';
spl_autoload_register(function (string $class) {
    $file = getenv('LIBRARY') . '/src/' . strtr(substr($class, strlen('League\\OAuth2\\Client\\')), '\\', '/') . '.php';
    if (str_starts_with($class, 'League\\OAuth2\\Client\\') && is_file($file)) require $file;
});

use League\OAuth2\Client\Provider\Exception\IdentityProviderException;
use League\OAuth2\Client\Provider\GenericProvider;
use League\OAuth2\Client\Token\AccessToken;

$base = getenv('BASE_URL');
$provider = new GenericProvider([
    'clientId' => getenv('CLIENT_ID'),
    'clientSecret' => getenv('CLIENT_SECRET'),
    'redirectUri' => getenv('REDIRECT_URI'),
    'urlAuthorize' => "$base/login",
    'urlAccessToken' => "$base/oauth/token",
    'urlResourceOwnerDetails' => "$base/v2/user/profile",
]);
$stored = new AccessToken(['access_token' => getenv('ACCESS_TOKEN'), 'refresh_token' => getenv('REFRESH_TOKEN'),
    'expires' => time() + (int) getenv('EXPIRES_IN')]);
$line = ['error' => null, 'kind' => null, 'reach' => null];

function call(): void
{
    global $base, $provider, $stored, $line;
    try {
        if ($stored->hasExpired()) {
            $stored = $provider->getAccessToken('refresh_token', ['refresh_token' => $stored->getRefreshToken()]);
        }
        $provider->getResponse($provider->getAuthenticatedRequest('GET', "$base/v2/user/profile", $stored));
    } catch (Throwable $e) {
        // The message of this class is the error code.
        $refused = $e instanceof IdentityProviderException;
        $name = $refused ? $e->getResponseBody()['error']['name'] ?? null : null;
        $line = ['error' => $refused ? $e->getMessage() : null, 'kind' => (new ReflectionClass($e))->getShortName(),
            'reach' => $name === 'invalid_grant' ? '$e->getResponseBody()[\'error\'][\'name\']' : null];
    }
}

call();
if (in_array($argv[1], ['rotate', 'omitted', 'unavailable'])) {
    sleep(2);
    call();
}
echo json_encode($line + ['access_token' => $stored->getToken(), 'refresh_token' => $stored->getRefreshToken()]), "\n";
