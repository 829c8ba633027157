# shellcheck shell=bash
# Apache Cassandra from packages, one node; sourced by scripts/services.

cassandra_version=5.0.5
cassandra_jars=$cache/cassandra-$cassandra_version
cassandra_current=$state/cassandra/current
# Of the key for TLS; no secret.
cassandra_password=only-for-tests

# Downloads once. A folder appears under its name only when it is whole.
cassandra_download() {
    [[ -d $cassandra_jars ]] && return
    need mvn maven
    local part
    mkdir -p "$cache"
    part=$(mktemp -d "$cache/cassandra-part.XXXXXX")
    cat >"$part/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>postrider</groupId>
  <artifactId>services-cassandra</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.cassandra</groupId><artifactId>cassandra-all</artifactId><version>$cassandra_version</version></dependency>
  </dependencies>
</project>
POM
    say "downloading Apache Cassandra $cassandra_version (66 MB, once)"
    if ! mvn -q -B -f "$part/pom.xml" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$part/jars" >"$part/log" 2>&1; then
        tail -n 20 "$part/log" >&2
        rm -rf "$part"
        die "could not download Apache Cassandra $cassandra_version"
    fi
    # Another run may have been quicker; its folder is as good.
    mv -T "$part/jars" "$cassandra_jars" 2>/dev/null || true
    rm -rf "$part"
}

# A folder for this run, with the node's settings.
cassandra_prepare() {
    local base run
    base=${POSTRIDER_CASSANDRA_PORT:-$(free_block 2)}
    all_free "$base" 2 ||
        die "port $base or the next is taken; choose others with POSTRIDER_CASSANDRA_PORT"
    mkdir -p "$state/cassandra/runs"
    # The logs of earlier runs stay, their data doesn't.
    rm -rf "$state"/cassandra/runs/*/node/{data,commitlog,saved_caches,hints,cdc}
    run=$(mktemp -d "$state/cassandra/runs/$(date +%Y%m%dT%H%M%S).XXXX")
    mkdir -p "$run"/node/{data,commitlog,saved_caches,hints,cdc}
    certificate cassandra "$run/node" "$cassandra_password"
    cat >"$run/node/cassandra.yaml" <<YAML
cluster_name: postrider-tests
num_tokens: 1
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
data_file_directories: [$run/node/data]
commitlog_directory: $run/node/commitlog
saved_caches_directory: $run/node/saved_caches
hints_directory: $run/node/hints
cdc_raw_directory: $run/node/cdc
commitlog_sync: periodic
commitlog_sync_period: 10000ms
prepared_statements_cache_size: 64MiB
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: "127.0.0.1:$((base + 1))"
listen_address: 127.0.0.1
storage_port: $((base + 1))
rpc_address: 127.0.0.1
start_native_transport: true
native_transport_port: $base
# One port for those who ask for TLS and those who don't.
client_encryption_options:
  enabled: true
  optional: true
  keystore: $run/node/keys.p12
  keystore_password: $cassandra_password
  store_type: PKCS12
  require_client_auth: false
endpoint_snitch: SimpleSnitch
auto_snapshot: false
YAML
    cat >"$run/node/logback.xml" <<XML
<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%date %level %logger{20} %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="out"/></root>
</configuration>
XML
    echo "$base" >"$run/base"
    ln -sfnT "$run" "$cassandra_current"
}

cassandra_port() { cat "$cassandra_current/base"; }
cassandra_pid() { echo "$(readlink -f "$cassandra_current")/node/pid"; }
cassandra_running() { [[ -e $cassandra_current ]] && runs "$(cassandra_pid)"; }

# What Java 17 has to open for it (its own jvm17-server.options).
cassandra_spawn() {
    local node package opened=()
    node=$(readlink -f "$cassandra_current")/node
    for package in java.base/jdk.internal.misc java.base/jdk.internal.ref java.base/sun.nio.ch \
        java.base/java.lang.ref java.management.rmi/com.sun.jmx.remote.internal.rmi \
        java.rmi/sun.rmi.registry java.rmi/sun.rmi.server java.sql/java.sql; do
        opened+=(--add-exports "$package=ALL-UNNAMED")
    done
    for package in java.base/java.lang.module java.base/jdk.internal.loader \
        java.base/jdk.internal.ref java.base/jdk.internal.reflect java.base/jdk.internal.math \
        java.base/jdk.internal.module java.base/jdk.internal.util.jar java.base/sun.nio.ch \
        java.base/java.io java.base/java.lang java.base/java.nio java.base/java.util \
        jdk.management/com.sun.management.internal; do
        opened+=(--add-opens "$package=ALL-UNNAMED")
    done
    setsid java -Xms256m -Xmx"${POSTRIDER_CASSANDRA_HEAP:-1g}" "${java_short[@]}" -Djava.awt.headless=true "${opened[@]}" \
        -Djdk.attach.allowAttachSelf=true \
        -Dlogback.configurationFile="$node/logback.xml" \
        -Dcassandra.config="file://$node/cassandra.yaml" -Dcassandra.storagedir="$node" \
        -Dcassandra.superuser_setup_delay_ms=0 -Dcassandra.skip_wait_for_gossip_to_settle=0 \
        -Dcassandra.ring_delay_ms=0 \
        -cp "$cassandra_jars/*" org.apache.cassandra.service.CassandraDaemon \
        >>"$node/log" 2>&1 </dev/null 9>&- &
    echo $! >"$node/pid"
    disown
}

# Whether it answers as a client asks: an OPTIONS frame, version 4, and SUPPORTED comes back.
cassandra_answers() {
    local answer
    answer=$({
        exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
        printf '\x04\0\0\0\x05\0\0\0\0' >&3
        timeout 2 head -c 5 <&3 | od -An -tx1 -v | tr -d ' \n'
    } 2>/dev/null) || return 1
    [[ ${answer:8:2} == 06 ]]
}

cassandra_await() {
    local waited
    for ((waited = 0; ; waited++)); do
        if cassandra_answers "$(cassandra_port)"; then break; fi
        if ! cassandra_running || ((waited == 1200)); then
            tail -n 30 "$cassandra_current/node/log" >&2
            say "the whole log: $(readlink -f "$cassandra_current")/node/log"
            cassandra_stop '' KILL
            die "cassandra did not start"
        fi
        sleep 0.1
    done
}

cassandra_start() {
    [[ -z $1 || $1 == 1 ]] || die "cassandra has one node"
    need java openjdk-17-jre-headless
    cassandra_download
    # Killed and started again, it has its data and its port as before.
    if ! cassandra_running && [[ ! -e $cassandra_current/stopped ]]; then cassandra_prepare; fi
    if ! cassandra_running; then
        rm -f "$cassandra_current/stopped"
        cassandra_spawn
    fi
    cassandra_await
    say "cassandra runs, at 127.0.0.1:$(cassandra_port)"
}

# With KILL it can be started again on its data.
cassandra_stop() {
    local signal=$2
    [[ -e $cassandra_current ]] || return 0
    end "$(cassandra_pid)" "$signal"
    rm -f "$cassandra_current/stopped"
    if [[ $signal == KILL ]]; then touch "$cassandra_current/stopped"; fi
}

cassandra_status() {
    if cassandra_running; then
        echo "cassandra: process $(cat "$(cassandra_pid)"), port $(cassandra_port), log $(dirname "$(cassandra_pid)")/log"
    else
        say "cassandra does not run"
    fi
}

cassandra_env() {
    echo "export POSTRIDER_TEST_CQL=127.0.0.1:$(cassandra_port)"
    echo "export POSTRIDER_TEST_CQL_CA=$(readlink -f "$cassandra_current")/node/ca.pem"
}
