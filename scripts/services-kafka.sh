# shellcheck shell=bash
# Apache Kafka from packages, in KRaft mode; sourced by scripts/services.
#
# Every node has a block of ports: plain, controller, secure, and eight *slots*. A slot is a further
# listener whose advertised address is another port, where nobody listens: a test puts its proxy
# there, and whoever bootstraps through that proxy stays behind it. One test a slot.

kafka_version=4.1.0
kafka_jars=$cache/kafka-$kafka_version
kafka_current=$state/kafka/current
kafka_slots=8
kafka_block=32
kafka_user=postrider
kafka_password=only-for-tests

kafka_port() { echo $(($(cat "$kafka_current/base") + ($1 - 1) * kafka_block)); }
kafka_nodes() { cat "$kafka_current/nodes" 2>/dev/null || echo 0; }

# Downloads once. A folder appears under its name only when it is whole.
kafka_download() {
    [[ -d $kafka_jars ]] && return
    need mvn maven
    local part
    mkdir -p "$cache"
    part=$(mktemp -d "$cache/kafka-part.XXXXXX")
    cat >"$part/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>postrider</groupId>
  <artifactId>services-kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$kafka_version</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$kafka_version</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
POM
    say "downloading Apache Kafka $kafka_version (54 MB, once)"
    if ! mvn -q -B -f "$part/pom.xml" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$part/jars" >"$part/log" 2>&1; then
        tail -n 20 "$part/log" >&2
        rm -rf "$part"
        die "could not download Apache Kafka $kafka_version"
    fi
    # Another run may have been quicker; its folder is as good.
    mv -T "$part/jars" "$kafka_jars" 2>/dev/null || true
    rm -rf "$part"
}

kafka_properties() {
    local run=$1 id=$2 nodes=$3 base=$4 port slot other
    local replicas=1 insync=1 voters='' listeners advertised map
    # A node that is killed is found soon. Where there is one node nobody could take over from it, and it may be starved
    # of the processor for longer by what it is measured with.
    local broker_session=60000
    if ((nodes > 1)); then replicas=3 insync=2 broker_session=3000; fi
    for ((other = 1; other <= nodes; other++)); do
        voters+=${voters:+,}$other@127.0.0.1:$((base + (other - 1) * kafka_block + 1))
    done
    port=$((base + (id - 1) * kafka_block))
    listeners=PLAIN://127.0.0.1:$port,SECURE://127.0.0.1:$((port + 2))
    advertised=$listeners
    map=PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL
    for ((slot = 0; slot < kafka_slots; slot++)); do
        listeners+=,SLOT$slot://127.0.0.1:$((port + 8 + slot))
        advertised+=,SLOT$slot://127.0.0.1:$((port + 16 + slot))
        map+=,SLOT$slot:PLAINTEXT
    done
    cat <<PROPERTIES
process.roles=broker,controller
node.id=$id
controller.quorum.voters=$voters
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAIN
listeners=$listeners,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=$advertised
listener.security.protocol.map=$map
log.dirs=$run/node-$id/data
auto.create.topics.enable=false
default.replication.factor=$replicas
min.insync.replicas=$insync
offsets.topic.replication.factor=$replicas
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$insync
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.retention.check.interval.ms=300
log.segment.delete.delay.ms=100
log.initial.task.delay.ms=300
message.max.bytes=67108864
broker.session.timeout.ms=$broker_session
broker.heartbeat.interval.ms=500
sasl.enabled.mechanisms=PLAIN
listener.name.secure.ssl.keystore.type=PKCS12
listener.name.secure.ssl.keystore.location=$run/keys.p12
listener.name.secure.ssl.keystore.password=$kafka_password
listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_$kafka_user="$kafka_password";
PROPERTIES
}

# kafka_prepare NODES: a folder for this run, with every node's settings and formatted disk.
kafka_prepare() {
    local nodes=$1 base run id cluster
    base=${POSTRIDER_KAFKA_PORT:-$(free_block $((nodes * kafka_block)))}
    all_free "$base" $((nodes * kafka_block)) ||
        die "one of the ports from $base on is taken; choose others with POSTRIDER_KAFKA_PORT"
    mkdir -p "$state/kafka/runs"
    # The logs of earlier runs stay, their data doesn't.
    rm -rf "$state"/kafka/runs/*/node-*/data
    run=$(mktemp -d "$state/kafka/runs/$(date +%Y%m%dT%H%M%S).XXXX")
    certificate kafka "$run" "$kafka_password"
    cluster=$(java -cp "$kafka_jars/*" -Dorg.slf4j.simpleLogger.defaultLogLevel=error \
        kafka.tools.StorageTool random-uuid 2>/dev/null | tail -n 1)
    for ((id = 1; id <= nodes; id++)); do
        mkdir -p "$run/node-$id/data"
        kafka_properties "$run" "$id" "$nodes" "$base" >"$run/node-$id/server.properties"
        java -cp "$kafka_jars/*" kafka.tools.StorageTool format -t "$cluster" \
            -c "$run/node-$id/server.properties" >"$run/node-$id/format.log" 2>&1 ||
            { tail -n 20 "$run/node-$id/format.log" >&2; die "could not format node $id"; }
    done
    echo "$base" >"$run/base"
    echo "$nodes" >"$run/nodes"
    ln -sfnT "$run" "$kafka_current"
}

kafka_spawn() {
    local node
    node=$(readlink -f "$kafka_current")/node-$1
    setsid java -Xmx"${POSTRIDER_KAFKA_HEAP:-512m}" "${java_short[@]}" -Djava.awt.headless=true \
        -Dorg.slf4j.simpleLogger.showDateTime=true \
        -Dorg.slf4j.simpleLogger.dateTimeFormat='HH:mm:ss.SSS' \
        -cp "$kafka_jars/*" kafka.Kafka "$node/server.properties" \
        >>"$node/log" 2>&1 </dev/null 9>&- &
    echo $! >"$node/pid"
    disown
}

# kafka_members PORT: how many nodes the one behind PORT knows. It asks as a client does: a Metadata
# request, version 4, for no topic.
kafka_members() {
    local answer
    answer=$({
        exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
        printf '\0\0\0\x0f\0\x03\0\x04\0\0\0\x01\xff\xff\0\0\0\0\0' >&3
        timeout 2 head -c 16 <&3 | od -An -tx1 -v | tr -d ' \n'
    } 2>/dev/null) || return 1
    [[ ${#answer} == 32 ]] && echo $((16#${answer:24:8}))
}

# Ready: every node that runs knows every other.
kafka_await() {
    local nodes=$1 id waited members
    for ((id = 1; id <= nodes; id++)); do
        for ((waited = 0; ; waited++)); do
            members=$(kafka_members "$(kafka_port "$id")") || members=0
            ((members == nodes)) && break
            if ! runs "$(readlink -f "$kafka_current")/node-$id/pid" || ((waited == 1800)); then
                tail -n 30 "$kafka_current/node-$id/log" >&2
                say "the whole log: $(readlink -f "$kafka_current")/node-$id/log"
                kafka_stop '' KILL
                rm -f "$kafka_current/stopped"
                die "node $id of kafka did not start"
            fi
            sleep 0.1
        done
    done
}

kafka_start() {
    local nodes=$1 id
    need java openjdk-17-jre-headless
    kafka_download
    if kafka_running && [[ -n $nodes && $nodes != "$(kafka_nodes)" ]]; then
        die "kafka runs on $(kafka_nodes) node(s); stop it first"
    fi
    # All killed and started again, they have their data and their ports as before.
    if ! kafka_running && { [[ ! -e $kafka_current/stopped ]] ||
        [[ -n $nodes && $nodes != "$(kafka_nodes)" ]]; }; then
        [[ ${nodes:=1} == 1 || $nodes == 3 ]] || die "--nodes must be 1 or 3"
        kafka_prepare "$nodes"
    fi
    rm -f "$kafka_current/stopped"
    nodes=$(kafka_nodes)
    for ((id = 1; id <= nodes; id++)); do
        runs "$(readlink -f "$kafka_current")/node-$id/pid" || kafka_spawn "$id"
    done
    kafka_await "$nodes"
    say "kafka runs on $nodes node(s), at $(kafka_addresses 0)"
}

kafka_running() {
    local pid
    for pid in "$kafka_current"/node-*/pid; do
        # `current` is a link, and a command line names the folder behind it.
        if runs "$(readlink -f "$pid")"; then return 0; fi
    done
    return 1
}

# With KILL, all of them, they can be started again on their data.
kafka_stop() {
    local node=$1 signal=$2 pid
    [[ -e $kafka_current ]] || return 0
    for pid in "$kafka_current"/node-*/pid; do
        [[ -e $pid ]] || continue
        [[ -z $node || $pid == */node-$node/pid ]] || continue
        end "$(readlink -f "$pid")" "$signal"
    done
    [[ -z $node ]] || return 0
    rm -f "$kafka_current/stopped"
    if [[ $signal == KILL ]]; then touch "$kafka_current/stopped"; fi
}

# kafka_addresses SHIFT: one address a node, that much above its first port.
kafka_addresses() {
    local id list=''
    for ((id = 1; id <= $(kafka_nodes); id++)); do
        list+=${list:+,}127.0.0.1:$(($(kafka_port "$id") + $1))
    done
    echo "$list"
}

kafka_status() {
    local id pid
    kafka_running || { say "kafka does not run"; return 0; }
    for ((id = 1; id <= $(kafka_nodes); id++)); do
        pid=$(readlink -f "$kafka_current")/node-$id/pid
        if runs "$pid"; then
            echo "kafka node $id: process $(cat "$pid"), port $(kafka_port "$id"), log $(dirname "$pid")/log"
        else
            echo "kafka node $id: stopped"
        fi
    done
}

kafka_env() {
    kafka_running || die "kafka does not run; start it with: scripts/services start kafka"
    local slot id port proxies='' pair
    for ((slot = 0; slot < kafka_slots; slot++)); do
        pair=''
        for ((id = 1; id <= $(kafka_nodes); id++)); do
            port=$(kafka_port "$id")
            pair+=${pair:+,}$((port + 16 + slot))-$((port + 8 + slot))
        done
        proxies+=${proxies:+ }$pair
    done
    cat <<ENV
export POSTRIDER_TEST_KAFKA=$(kafka_addresses 0)
export POSTRIDER_TEST_KAFKA_JARS='$kafka_jars'
export POSTRIDER_TEST_KAFKA_PROXIES='$proxies'
export POSTRIDER_TEST_KAFKA_SECURE=$(kafka_addresses 2)
export POSTRIDER_TEST_KAFKA_CA='$(readlink -f "$kafka_current")/ca.pem'
export POSTRIDER_TEST_KAFKA_USER=$kafka_user
export POSTRIDER_TEST_KAFKA_PASSWORD=$kafka_password
ENV
}
