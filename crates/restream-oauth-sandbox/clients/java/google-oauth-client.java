// google-oauth-client: a Credential with a stored pair, as its class documentation shows, and requests through it.

import com.google.api.client.auth.oauth2.BearerToken;
import com.google.api.client.auth.oauth2.Credential;
import com.google.api.client.auth.oauth2.TokenResponseException;
import com.google.api.client.http.BasicAuthentication;
import com.google.api.client.http.GenericUrl;
import com.google.api.client.http.HttpRequestFactory;
import com.google.api.client.http.javanet.NetHttpTransport;
import com.google.api.client.json.gson.GsonFactory;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.util.ArrayList;
import java.util.List;

class Probe {
    static final JsonObject line = new JsonObject();

    public static void main(String[] arguments) throws Exception {
        String scenario = arguments[0];
        String base = System.getenv("BASE_URL");
        for (String member : new String[] {"error", "kind", "reach"}) line.add(member, null);
        NetHttpTransport transport = new NetHttpTransport();
        Credential credential = new Credential.Builder(BearerToken.authorizationHeaderAccessMethod())
            .setTransport(transport)
            .setJsonFactory(new GsonFactory())
            .setTokenServerUrl(new GenericUrl(base + "/oauth/token"))
            .setClientAuthentication(
                new BasicAuthentication(System.getenv("CLIENT_ID"), System.getenv("CLIENT_SECRET")))
            .build();
        credential.setAccessToken(System.getenv("ACCESS_TOKEN"));
        credential.setRefreshToken(System.getenv("REFRESH_TOKEN"));
        credential.setExpiresInSeconds(Long.valueOf(System.getenv("EXPIRES_IN")));
        HttpRequestFactory requests = transport.createRequestFactory(credential);
        Runnable call = () -> {
            try {
                requests.buildGetRequest(new GenericUrl(base + "/v2/user/profile")).execute().disconnect();
            } catch (Exception e) {
                failed(e);
            }
        };
        if (scenario.equals("parallel")) {
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < 5; i++) threads.add(new Thread(call));
            for (Thread thread : threads) thread.start();
            for (Thread thread : threads) thread.join();
        } else {
            call.run();
            if (List.of("rotate", "omitted", "unavailable").contains(scenario)) {
                Thread.sleep(2000);
                call.run();
            }
        }
        line.addProperty("access_token", credential.getAccessToken());
        line.addProperty("refresh_token", credential.getRefreshToken());
        System.out.println(line);
    }

    static synchronized void failed(Exception e) {
        line.addProperty("kind", e.getClass().getSimpleName());
        if (e instanceof TokenResponseException refused) {
            line.addProperty("error", refused.getDetails() == null ? null : refused.getDetails().getError());
            try {
                JsonObject content = JsonParser.parseString(refused.getContent()).getAsJsonObject();
                String name = content.getAsJsonObject("error").get("name").getAsString();
                if (name.equals("invalid_grant")) line.addProperty("reach", "the JSON in e.getContent()");
            } catch (RuntimeException unreadable) {
                // Then the error cannot be read here.
            }
        }
    }
}
