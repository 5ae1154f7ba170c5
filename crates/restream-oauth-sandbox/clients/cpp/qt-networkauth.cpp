// Qt's QOAuth2AuthorizationCodeFlow with a stored pair, and its `refreshAccessToken`. It does not refresh alone: the
// program asks when `expirationAt` is over. The signals are what the program can see of a refresh.

#include <QCoreApplication>
#include <QDateTime>
#include <QJsonDocument>
#include <QJsonObject>
#include <QNetworkReply>
#include <QOAuth2AuthorizationCodeFlow>
#include <QOAuthHttpServerReplyHandler>
#include <QTimer>

#include <cstdio>
#include <functional>

static const int SECONDS_OF_PATIENCE = 5;

static QString value(const char *name) { return QString::fromUtf8(qgetenv(name)); }

int main(int count, char **arguments) {
    QCoreApplication application(count, arguments);
    const QString scenario = application.arguments().at(1);
    const QUrl base(value("BASE_URL"));
    QJsonObject line{{"error", QJsonValue()}, {"kind", QJsonValue()}, {"reach", QJsonValue()}};

    QNetworkAccessManager network;
    QOAuth2AuthorizationCodeFlow flow(&network);
    QOAuthHttpServerReplyHandler handler;
    flow.setReplyHandler(&handler);
    flow.setAuthorizationUrl(base.resolved(QUrl("/login")));
    flow.setAccessTokenUrl(base.resolved(QUrl("/oauth/token")));
    flow.setClientIdentifier(value("CLIENT_ID"));
    flow.setClientIdentifierSharedKey(value("CLIENT_SECRET"));
    flow.setToken(value("ACCESS_TOKEN"));
    flow.setRefreshToken(value("REFRESH_TOKEN"));
    QDateTime ends = QDateTime::currentDateTime().addSecs(value("EXPIRES_IN").toInt());

    bool granted = false;
    QObject::connect(&flow, &QAbstractOAuth::granted, [&] { granted = true; });
    QObject::connect(&flow, &QAbstractOAuth2::error, [&](const QString &error, const QString &, const QUrl &) {
        line["error"] = error;
        line["kind"] = "the signal error";
    });
    QObject::connect(&flow, &QAbstractOAuth::requestFailed, [&](QAbstractOAuth::Error error) {
        line["kind"] = QString("the signal requestFailed(%1)").arg(int(error));
    });
    // The library does not read the body of an error response, so the program can.
    QObject::connect(&network, &QNetworkAccessManager::finished, [&](QNetworkReply *reply) {
        if (reply->error() == QNetworkReply::NoError)
            return;
        const QJsonObject error = QJsonDocument::fromJson(reply->readAll()).object()["error"].toObject();
        if (error["name"] == "invalid_grant")
            line["reach"] = "reply->readAll() in QNetworkAccessManager::finished";
    });

    const auto wait = [](int ms, const std::function<bool()> &done) {
        QEventLoop loop;
        QTimer every, last;
        QObject::connect(&every, &QTimer::timeout, [&] { if (done()) loop.quit(); });
        QObject::connect(&last, &QTimer::timeout, &loop, &QEventLoop::quit);
        every.start(10);
        last.start(ms);
        loop.exec();
    };
    const auto call = [&] {
        if (ends <= QDateTime::currentDateTime()) {
            const QString before = flow.token();
            granted = false;
            flow.refreshAccessToken();
            wait(SECONDS_OF_PATIENCE * 1000, [&] { return granted || !line["kind"].isNull(); });
            if (!granted && line["kind"].isNull())
                line["kind"] = QString("no signal in %1 s").arg(SECONDS_OF_PATIENCE);
            if (flow.token() == before)
                return;
            ends = flow.expirationAt();
        }
        QNetworkReply *reply = flow.get(base.resolved(QUrl("/v2/user/profile")));
        wait(SECONDS_OF_PATIENCE * 1000, [&] { return reply->isFinished(); });
    };

    if (scenario == "parallel") {
        for (int i = 0; i < 5; i++)
            flow.refreshAccessToken();
        wait(SECONDS_OF_PATIENCE * 1000, [&] { return granted; });
        QList<QNetworkReply *> replies;
        for (int i = 0; i < 5; i++)
            replies << flow.get(base.resolved(QUrl("/v2/user/profile")));
        for (QNetworkReply *reply : replies)
            wait(SECONDS_OF_PATIENCE * 1000, [&] { return reply->isFinished(); });
    } else {
        call();
        if (scenario == "rotate" || scenario == "omitted" || scenario == "unavailable") {
            wait(2000, [] { return false; });
            call();
        }
    }
    line["access_token"] = flow.token();
    line["refresh_token"] = flow.refreshToken();
    std::puts(QJsonDocument(line).toJson(QJsonDocument::Compact).constData());
}
