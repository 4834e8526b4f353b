"""All settings, each read from the environment once; `.env.example` lists every name with its default.

A wrong or missing value raises ImproperlyConfigured with a sentence that names it.
"""

import os
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import django_stubs_ext
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import get_language_info

from cryptons import environment as env
from cryptons import schedule
from cryptons.api import configuration as api
from cryptons.cache_config import local_caches, redis_caches
from cryptons.coins import COINS, CoreCoin, core_coins, node_settings
from cryptons.currencies import MINOR_DIGITS
from cryptons.databases import READ_PREFERENCES, is_mongo, read_database, replica_entry
from cryptons.environment import make_private, parse_fixed_prices, stored_secret
from cryptons.logs import logging_config
from cryptons.mail_address import STAFF_MAILS as ALL_STAFF_MAILS
from cryptons.mail_address import read_mail_server, read_sender, read_shop_name, read_staff_addresses, read_staff_mails
from cryptons.public_url import host_name, read_allowed_hosts, read_origin
from cryptons.standard_webhooks import key_of

django_stubs_ext.monkeypatch()  # generic base classes at run time as in the type checker

BASE_DIR = Path(__file__).resolve().parent.parent
if env.text("CRYPTONS_DOTENV") != "off":
    env.load_dotenv(BASE_DIR / ".env")

DEBUG = env.boolean("DEBUG", False)
DATA_DIR = Path(env.text("DATA_DIR", str(BASE_DIR / "var"))).resolve()
make_private(DATA_DIR)
os.umask(0o077)  # what the shop's processes write is for their own user


SECRET_KEY = env.text("SECRET_KEY") or stored_secret(DATA_DIR / "secret_key")
if len(SECRET_KEY) < 32:
    raise ImproperlyConfigured("SECRET_KEY must have at least 32 characters.")
FIELD_ENCRYPTION_KEY = env.words("FIELD_ENCRYPTION_KEY")
if any(len(key) < 32 for key in FIELD_ENCRYPTION_KEY):
    raise ImproperlyConfigured("FIELD_ENCRYPTION_KEY must list keys of at least 32 characters each.")
HOST = env.text("HOST", "127.0.0.1")
try:
    _here = host_name(HOST)
except ValueError:
    raise ImproperlyConfigured(f"HOST must be an address of this machine, such as 127.0.0.1, not {HOST!r}.") from None
HOST = _here.strip("[]")
PORT = env.integer("PORT", 8000, minimum=1, maximum=65535)
_reached = "127.0.0.1" if HOST in ("0.0.0.0", "::") else _here  # noqa: S104
TLS_CERTIFICATE, TLS_KEY = env.text("TLS_CERTIFICATE"), env.text("TLS_KEY")
if bool(TLS_CERTIFICATE) != bool(TLS_KEY):
    raise ImproperlyConfigured("TLS_CERTIFICATE and TLS_KEY must be set together.")
HTTP_REDIRECT_PORT = env.integer("HTTP_REDIRECT_PORT", 80 if TLS_CERTIFICATE and PORT == 443 else 0, minimum=0, maximum=65535)
_scheme = "https" if TLS_CERTIFICATE else "http"
_public = read_origin("PUBLIC_URL", env.text("PUBLIC_URL", f"{_scheme}://{_reached}:{PORT}"))
PUBLIC_URL = str(_public)
ALLOWED_HOSTS = [*read_allowed_hosts(env.words("ALLOWED_HOSTS")), _public.host, "127.0.0.1", "localhost", "[::1]"]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

# --- manage.py serve ------------------------------------------------------------------------------------------------------
WEB_WORKERS = env.integer("WEB_WORKERS", 1, minimum=1, maximum=256)
WEB_THREADS = env.integer("WEB_THREADS", 8, minimum=1, maximum=256)
WORKER_THREADS = env.integer("WORKER_THREADS", 2, minimum=1, maximum=256)
ADMIN_USERNAME = env.text("ADMIN_USERNAME", "admin")
ADMIN_EMAIL = env.text("ADMIN_EMAIL")
ADMIN_PASSWORD = env.text("ADMIN_PASSWORD")

# --- The shop -------------------------------------------------------------------------------------------------------------
SHOP_NAME = read_shop_name(env.text("SHOP_NAME", "Cryptons"))
CURRENCY = env.text("CURRENCY", "USD").strip().upper()
if CURRENCY not in MINOR_DIGITS:
    raise ImproperlyConfigured(f"CURRENCY must be an ISO 4217 code such as USD or EUR, not {CURRENCY!r}.")

LOW_STOCK = env.integer("LOW_STOCK", 5, minimum=0, maximum=1_000_000)
CART_KEEP_DAYS = env.integer("CART_KEEP_DAYS", 30, minimum=1, maximum=3_650)

_translated = {"en", *(file.parent.parent.name for file in BASE_DIR.glob("locale/*/LC_MESSAGES/django.mo"))}
_languages = env.words("LANGUAGES", "en,de")
if not _languages or not set(_languages) <= _translated or len(set(_languages)) < len(_languages):
    raise ImproperlyConfigured(f"LANGUAGES must list some of {', '.join(sorted(_translated))}, each once, not {','.join(_languages)!r}.")
LANGUAGES = [(code, get_language_info(code)["name_local"]) for code in _languages]
LANGUAGE_CODE = _languages[0]

TIME_ZONE = env.text("TIME_ZONE", "UTC")
try:
    ZoneInfo(TIME_ZONE)
except (ZoneInfoNotFoundError, ValueError, OSError):
    raise ImproperlyConfigured(f"TIME_ZONE must be a name such as Europe/Berlin or UTC, not {TIME_ZONE!r}.") from None

# --- Django ---------------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "corsheaders",
    "csp",
    "template_partials",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "cryptons",
    "cryptons.audit",
    "cryptons.events",
    "cryptons.mail",
    "accounts",
    "accounts.verification",
    "payments",
    "shop",
    "shop.figures",
    "shop.settings",
    "reviews",
]

MIDDLEWARE = [
    "cryptons.middleware.RequestIdMiddleware",
    "cryptons.languages.LanguageMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "cryptons.middleware.SecurityHeadersMiddleware",
    "accounts.middleware.ApiKeyMiddleware",
    "cryptons.api.middleware.ApiMiddleware",
    "shop.visitor.VisitorMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "accounts.middleware.LoginAgeMiddleware",
    "cryptons.middleware.ActingMiddleware",
    "accounts.middleware.SecondFactorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "cryptons.urls"
WSGI_APPLICATION = "cryptons.wsgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "cryptons.context.site",
                "payments.context.networks",
                "shop.context.shop",
            ],
        },
    }
]

USE_TZ = True
USE_I18N = True
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["cryptons.locale_formats"]

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
MEDIA_URL = "/media/"
MEDIA_ROOT = DATA_DIR / "media"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "cryptons.static_storage.GzipManifestStorage"},
}

# --- Database, cache, queue ---------------------------------------------------------------------------------------------
DATABASE_URL = env.text("DATABASE_URL", f"sqlite:///{DATA_DIR / 'cryptons.sqlite3'}")
DATABASES = {"default": read_database("DATABASE_URL", DATABASE_URL)}
_preference = env.choice("DATABASE_READ_PREFERENCE", "primary", READ_PREFERENCES)
if _replica := replica_entry(DATABASE_URL, env.text("DATABASE_REPLICA_URL"), _preference):
    DATABASES["replica"] = _replica
if is_mongo(DATABASE_URL):
    # Contrib apps count their rows by default, which MongoDB does not: their keys are ObjectIds, and their migrations our own.
    DEFAULT_AUTO_FIELD = "django_mongodb_backend.fields.ObjectIdAutoField"
    _own_keys = {f"django.contrib.{app}": f"cryptons.mongo_apps.{app.title()}Config" for app in ("admin", "auth", "contenttypes")}
    INSTALLED_APPS = [_own_keys.get(app, app) for app in INSTALLED_APPS]
    MIGRATION_MODULES = {app: f"cryptons.mongo_migrations.{app}" for app in ("admin", "auth", "contenttypes")}
else:
    DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.text("REDIS_URL")
CACHES = redis_caches(REDIS_URL) if REDIS_URL else local_caches(DATA_DIR / "cache")
VERSIONS_FILE = None if REDIS_URL else DATA_DIR / "cache" / "versions"
SESSION_ENGINE = f"django.contrib.sessions.backends.{'cached_db' if REDIS_URL else 'db'}"

ELASTICSEARCH_URL = env.url("ELASTICSEARCH_URL", like="http://host:9200 or https://user:password@host:9200", needs_port=True)
if ELASTICSEARCH_URL:
    INSTALLED_APPS = [*INSTALLED_APPS, "django_elasticsearch_dsl"]
    _search = {"hosts": [ELASTICSEARCH_URL], "retry_on_timeout": False}
    ELASTICSEARCH_DSL = {
        "default": {**_search, "request_timeout": 10, "max_retries": 2},
        # Each read of a page may take 0.3 s, the whole answer 0.4 s (PAGE_SECONDS); then the database answers the page.
        "page": {**_search, "request_timeout": 0.3, "max_retries": 0, "connections_per_node": WEB_THREADS},
    }
    ELASTICSEARCH_DSL_AUTOSYNC = False  # its signals come before the commit; shop.catalogue.changes follows the rows
    ELASTICSEARCH_DSL_AUTO_REFRESH = False

CELERY_BROKER_URL = schedule.broker_url(env.text("CELERY_BROKER_URL"), REDIS_URL)
CELERY_BROKER_TRANSPORT_OPTIONS = schedule.broker_options(CELERY_BROKER_URL, DATA_DIR / "queue")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_TIME_LIMIT = 300
CELERY_WORKER_POOL = "threads"  # cryptons.watchdog does not see what the processes of a pool do
CELERY_WORKER_CONCURRENCY = WORKER_THREADS
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for its broker however long it takes: not everybody starts one again
CELERY_TASK_QUEUES, CELERY_TASK_ROUTES = schedule.QUEUES, schedule.ROUTES
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "cryptons.watchdog:MemoryScheduler"
if CELERY_BROKER_URL.startswith("filesystem://"):
    CELERY_WORKER_ENABLE_REMOTE_CONTROL = False  # its mailboxes would be files that are never emptied

# --- People ---------------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.BCryptSHA256PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "accounts:login"
LOGIN_REDIRECT_URL = "accounts:profile"
LOGOUT_REDIRECT_URL = "shop:home"
_two_factor = "required" if _public.scheme == "https" else "optional"
STAFF_TWO_FACTOR = env.choice("STAFF_TWO_FACTOR", _two_factor, ("required", "optional"))
JWT_ACCESS_LIFETIME = timedelta(seconds=env.integer("JWT_ACCESS_LIFETIME", 86_400, minimum=60, maximum=31_536_000))
JWT_REFRESH_LIFETIME = timedelta(seconds=env.integer("JWT_REFRESH_LIFETIME", 30 * 86_400, minimum=60, maximum=31_536_000))

VERIFICATION_PROVIDER = env.choice("VERIFICATION_PROVIDER", "off", ("off", "manual", "sumsub"))
VERIFICATION_LIMIT = env.decimal("VERIFICATION_LIMIT", "0", minimum="0", maximum="10000000")
VERIFICATION_DAILY_LIMIT = env.decimal("VERIFICATION_DAILY_LIMIT", "0", minimum="0", maximum="10000000")
VERIFICATION_MONTHLY_LIMIT = env.decimal("VERIFICATION_MONTHLY_LIMIT", "0", minimum="0", maximum="100000000")
VERIFICATION_KEEP_DAYS = env.integer("VERIFICATION_KEEP_DAYS", 30, minimum=1, maximum=3_650)
SUMSUB_URL = env.url("SUMSUB_URL", like="https://api.sumsub.com") or "https://api.sumsub.com"
SUMSUB_APP_TOKEN, SUMSUB_SECRET_KEY = env.text("SUMSUB_APP_TOKEN"), env.text("SUMSUB_SECRET_KEY")
SUMSUB_WEBHOOK_SECRET, SUMSUB_LEVEL = env.text("SUMSUB_WEBHOOK_SECRET"), env.text("SUMSUB_LEVEL")
SANCTIONS_LIST, VERIFICATION_DIR = env.text("SANCTIONS_LIST"), DATA_DIR / "verification"

# --- Security headers -----------------------------------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF, "'unsafe-inline'"],
        "img-src": [SELF, "data:", "https:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}
X_FRAME_OPTIONS = "DENY"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"  # a visitor with a message also gets a session
SECURE_REFERRER_POLICY = "strict-origin-when-cross-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
HSTS_SUBDOMAINS = env.boolean("HSTS_SUBDOMAINS", False)
HSTS_PRELOAD = env.boolean("HSTS_PRELOAD", False)
if HSTS_PRELOAD and not HSTS_SUBDOMAINS:
    raise ImproperlyConfigured("HSTS_SUBDOMAINS must be true when HSTS_PRELOAD is: the browsers' list takes whole domains only.")
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]  # whether all sub-domains are https is the merchant's to know
if _public.scheme == "https":
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS, SECURE_HSTS_PRELOAD = HSTS_SUBDOMAINS, HSTS_PRELOAD
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"  # no other host of the domain can set them
CORS_ALLOWED_ORIGINS = [str(read_origin("CORS_ALLOWED_ORIGINS", origin)) for origin in env.words("CORS_ALLOWED_ORIGINS")]
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_HEADERS, CORS_EXPOSE_HEADERS = api.CORS_HEADERS, api.CORS_EXPOSED
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")

# --- REST API -------------------------------------------------------------------------------------------------------------
RATE_LIMIT_API = env.rate_limit("RATE_LIMIT_API", "100/15minutes")
RATE_LIMIT_KEY = env.rate_limit("RATE_LIMIT_KEY", "600/minute")
RATE_LIMIT_AUTH = env.rate_limit("RATE_LIMIT_AUTH", "5/15minutes")
RATE_LIMIT_LOGINS = env.rate_limit("RATE_LIMIT_LOGINS", "20/minute")
RATE_LIMIT_ACCOUNT_MAILS = env.rate_limit("RATE_LIMIT_ACCOUNT_MAILS", "5/hour")
RATE_LIMIT_CART = env.rate_limit("RATE_LIMIT_CART", "120/15minutes")
RATE_LIMIT_CHECKOUT = env.rate_limit("RATE_LIMIT_CHECKOUT", "20/15minutes")
RATE_LIMIT_ORDER_MAILS = env.rate_limit("RATE_LIMIT_ORDER_MAILS", "10/day")
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
REST_FRAMEWORK = api.REST_FRAMEWORK
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": JWT_ACCESS_LIFETIME,
    "REFRESH_TOKEN_LIFETIME": JWT_REFRESH_LIFETIME,
    "ALGORITHM": "HS256",
    "SIGNING_KEY": SECRET_KEY,
    "USER_ID_CLAIM": "userId",
}
SPECTACULAR_SETTINGS = {**api.SPECTACULAR, "TITLE": SHOP_NAME}

# --- Mail -----------------------------------------------------------------------------------------------------------------
EMAIL_URL = env.text("EMAIL_URL")
MAIL_SERVER = read_mail_server(EMAIL_URL) if EMAIL_URL else None
MAIL_DIR, MAIL_DOMAIN = DATA_DIR / "mail", _public.mail_domain
MAIL_FROM = read_sender(env.text("MAIL_FROM"), shop_name=SHOP_NAME, domain=MAIL_DOMAIN)
REVIEW_MAIL_DAYS = env.integer("REVIEW_MAIL_DAYS", 0, minimum=0, maximum=365)
MAIL_KEEP_DAYS = env.integer("MAIL_KEEP_DAYS", 90, minimum=1, maximum=36_500)
STAFF_EMAIL = read_staff_addresses(env.words("STAFF_EMAIL"))
STAFF_MAILS = read_staff_mails(env.words("STAFF_MAILS", ",".join(ALL_STAFF_MAILS)))

# --- Payments -------------------------------------------------------------------------------------------------------------


def _core_settings(coin: CoreCoin) -> dict[str, object]:
    """Read the settings of a coin whose node speaks Bitcoin Core's dialect, by name."""
    network = env.choice(coin.setting("NETWORK"), "mainnet", tuple(coin.chains))
    values: dict[str, object] = {
        coin.setting("RPC_HOST"): env.text(coin.setting("RPC_HOST")),
        coin.setting("RPC_PORT"): env.integer(coin.setting("RPC_PORT"), coin.chains[network].rpc_port, minimum=1, maximum=65535),
        coin.setting("RPC_USER"): env.text(coin.setting("RPC_USER")),
        coin.setting("RPC_PASS"): env.text(coin.setting("RPC_PASS")),
        coin.setting("NETWORK"): network,
        coin.setting("WALLET"): env.text(coin.setting("WALLET"), "cryptons"),
        coin.setting("DESCRIPTOR"): env.text(coin.setting("DESCRIPTOR")),
        coin.setting("PAYOUT_WALLET"): env.text(coin.setting("PAYOUT_WALLET")),
        coin.setting("ZMQ"): env.words(coin.setting("ZMQ")),
    }
    if values[coin.setting("RPC_HOST")] and not (values[coin.setting("RPC_USER")] and values[coin.setting("RPC_PASS")]):
        raise ImproperlyConfigured(
            f"{coin.setting('RPC_USER')} and {coin.setting('RPC_PASS')} must be set when {coin.setting('RPC_HOST')} is."
        )
    return values


for _coin in core_coins():
    globals().update(_core_settings(_coin))

LND_HOST, LND_TLS_CERT = env.text("LND_HOST"), env.text("LND_TLS_CERT")
LND_MACAROON, LND_PAYOUT_MACAROON = env.text("LND_MACAROON"), env.text("LND_PAYOUT_MACAROON")
if LND_HOST and not LND_MACAROON:
    raise ImproperlyConfigured("LND_MACAROON must be set when LND_HOST is: the path or hex of a macaroon that may make invoices.")

XRP_URL = env.url("XRP_URL", like="http://host:5005 or https://host")
XRP_ADDRESS = env.text("XRP_ADDRESS")
if bool(XRP_URL) != bool(XRP_ADDRESS):
    _missing, _given = ("XRP_ADDRESS", "XRP_URL") if XRP_URL else ("XRP_URL", "XRP_ADDRESS")
    raise ImproperlyConfigured(f"{_missing} must be set when {_given} is.")

STRIPE_SECRET_KEY = env.text("STRIPE_SECRET_KEY")
STRIPE_WEBHOOK_SECRET = env.words("STRIPE_WEBHOOK_SECRET")
STRIPE_API_URL = env.url("STRIPE_API_URL", "https://api.stripe.com", like="https://api.stripe.com")

# The sandbox stands in for each network, but only while no real node is configured: see payments.networks.
SANDBOX = env.boolean("SANDBOX", DEBUG)
_has_node = any(env.text(name) for name in node_settings())
_sandbox_rates = "fixed:" + ",".join(f"{coin.code}={coin.sandbox_price}" for coin in COINS.values())
RATES = env.text("RATES", "live" if _has_node or not SANDBOX else _sandbox_rates)
FIXED_RATES = parse_fixed_prices("RATES", RATES)
RATE_SOURCES = env.words("RATE_SOURCES", "coinbase,kraken,coingecko,bitstamp")
CONFIRMATION_TIERS = env.tiers("CONFIRMATION_TIERS", "50:1,1000:2,6")
FOLLOW_SECONDS = env.integer("FOLLOW_SECONDS", 5, minimum=1, maximum=3600)
LIGHTNING_ROUND_SECONDS = env.integer("LIGHTNING_ROUND_SECONDS", 30, minimum=1, maximum=3600)
INVOICE_MINUTES = env.integer("INVOICE_MINUTES", 15, minimum=1, maximum=1440)
UNPAID_ORDERS = env.integer("UNPAID_ORDERS", 3, minimum=0, maximum=1000)
UNPAID_SHARE = env.decimal("UNPAID_SHARE", "0.5", minimum="0", maximum="1")
GAP_LIMIT = env.integer("GAP_LIMIT", 20, minimum=1, maximum=1000)
PAYMENT_TOLERANCE_PERCENT = env.decimal("PAYMENT_TOLERANCE_PERCENT", "0.5", minimum="0", maximum="10")
PAYMENT_TOLERANCE_CAP = env.decimal("PAYMENT_TOLERANCE_CAP", "1.00", minimum="0", maximum="1000")
UNCONFIRMED_HOLD_MINUTES = env.integer("UNCONFIRMED_HOLD_MINUTES", 120, minimum=1, maximum=10_080)
LATE_GRACE_MINUTES = env.integer("LATE_GRACE_MINUTES", 60, minimum=0, maximum=10_080)
LATE_RATE_PERCENT = env.decimal("LATE_RATE_PERCENT", "2", minimum="0", maximum="50")
PAYOUT_LIMIT = env.decimal("PAYOUT_LIMIT", "1000", minimum="0", maximum="1000000")
PAYOUT_DAILY_LIMIT = env.decimal("PAYOUT_DAILY_LIMIT", "5000", minimum="0", maximum="10000000")
PAYOUT_SECOND_PERSON_ABOVE = env.decimal("PAYOUT_SECOND_PERSON_ABOVE", "100", minimum="0", maximum="1000000")
PAYOUT_FEE_PERCENT = env.decimal("PAYOUT_FEE_PERCENT", "1", minimum="0", maximum="20")
PAYOUT_FEE_MINIMUM = env.decimal("PAYOUT_FEE_MINIMUM", "3", minimum="0", maximum="1000")
WEBHOOK_SECRET = env.words("WEBHOOK_SECRET")
for _secret in WEBHOOK_SECRET:
    try:
        key_of(_secret)
    except ValueError as error:
        raise ImproperlyConfigured(f"WEBHOOK_SECRET must be text, or whsec_ and base64; {error}.") from None
WEBHOOK_PRIVATE_HOSTS = env.words("WEBHOOK_PRIVATE_HOSTS")
NODE_TIMEOUT_SECONDS = env.integer("NODE_TIMEOUT_SECONDS", 5, minimum=1, maximum=60)
CELERY_BEAT_SCHEDULE = schedule.beat_schedule(follow_seconds=FOLLOW_SECONDS, lightning_seconds=LIGHTNING_ROUND_SECONDS)

# --- Logs -----------------------------------------------------------------------------------------------------------------
LOG_LEVEL = env.choice("LOG_LEVEL", "WARNING", ("DEBUG", "INFO", "WARNING", "ERROR"))
LOGGING = logging_config(LOG_LEVEL, for_people=DEBUG)
