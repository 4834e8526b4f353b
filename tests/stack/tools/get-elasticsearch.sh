#!/usr/bin/env bash
# get-elasticsearch.sh [TARGET]: put an Elasticsearch node for tests under
# ~/.cache/elasticsearch-VERSION and print the command that starts it:
#   elasticsearch-test HTTP_PORT FOLDER    in the foreground; prints "ready URL", logs to FOLDER/console.log, ends on SIGTERM
# It is Elasticsearch's own server and HTTP layer, from Maven Central (40 MB). Needs JDK 17 and Maven.
# elasticsearch/TestSupport.java adds the usual names for text analysis. What Maven Central has no module for is not there: _reindex,
# _delete_by_query, _update_by_query, painless, ingest, scaled_float, rank_feature, search_as_you_type, join, percolator, security.
set -euo pipefail
SOURCES=$(dirname "$(realpath "$0")")/elasticsearch
VERSION=$(sed -n 's:.*<artifactId>elasticsearch</artifactId><version>\(.*\)</version>.*:\1:p' "$SOURCES/pom.xml")
TARGET=$(realpath -m "${1:-$HOME/.cache/elasticsearch-$VERSION}")
if [ -x "$TARGET/bin/elasticsearch-test" ]; then
  echo "$TARGET/bin/elasticsearch-test"
  exit
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mvn -q -B -f "$SOURCES/pom.xml" dependency:copy-dependencies -DoutputDirectory="$work/jars" >&2
home=$work/home
mkdir -p "$home"/{lib,bin,classes,config,plugins,modules/transport-netty4,modules/analysis-support} "$work/support"
for jar in "$work"/jars/*.jar; do
  case $(basename "$jar") in
    netty-* | transport-netty4*) cp "$jar" "$home/modules/transport-netty4/" ;;
    *) cp "$jar" "$home/lib/" ;;
  esac
done
python3 -m zipfile -e "$home"/modules/transport-netty4/transport-netty4-*.jar "$work/netty"
cp "$work"/netty/META-INF/es-plugins/transport-netty4/* "$home/modules/transport-netty4/"
javac -nowarn -cp "$home/lib/*" -d "$home/classes" "$SOURCES/TestServer.java" >&2
javac -nowarn -cp "$home/lib/*" -d "$work/support" "$SOURCES/TestSupport.java" >&2
jar cf "$home/modules/analysis-support/analysis-support.jar" -C "$work/support" .
cat >"$home/modules/analysis-support/plugin-descriptor.properties" <<PROPERTIES
description=usual analysis names and GET / for tests
version=$VERSION
name=analysis-support
java.version=17
elasticsearch.version=$VERSION
classname=TestSupport
PROPERTIES
cat >"$home/bin/elasticsearch-test" <<'RUN'
#!/usr/bin/env bash
# elasticsearch-test HTTP_PORT FOLDER [TRANSPORT_PORT]
home=$(cd "$(dirname "$(realpath "$0")")/.." && pwd)
mkdir -p "$2"
exec java "-Xms${HEAP:-512m}" "-Xmx${HEAP:-512m}" -XX:+UseG1GC -Djava.security.manager=allow \
  --add-modules=jdk.net,jdk.management.agent,ALL-MODULE-PATH --add-opens=java.base/java.io=org.elasticsearch.server \
  --module-path "$home/lib" -cp "$home/classes" TestServer "$home" "$(realpath "$2")" "$1" "${3:-$(($1 + 100))}" \
  3>&1 >"$2/console.log" 2>&1
RUN
chmod 755 "$home/bin/elasticsearch-test"
mkdir -p "$(dirname "$TARGET")"
rm -rf "$TARGET"
mv "$home" "$TARGET"
echo "$TARGET/bin/elasticsearch-test"
