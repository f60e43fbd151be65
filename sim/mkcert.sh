#!/bin/sh
# Makes a certificate authority and a server certificate for 127.0.0.1, ::1 and localhost, for a served world.
# usage: mkcert.sh DIRECTORY     writes ca.pem, cert.pem, key.pem there
set -eu

dir=${1:?usage: mkcert.sh DIRECTORY}
umask 077
mkdir -p "$dir"
cd "$dir"

trap 'rm -f ca.key server.csr ca.srl extensions' EXIT
cat >extensions <<'EOF'
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth
subjectAltName=IP:127.0.0.1,IP:::1,DNS:localhost
EOF

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj "/CN=simulated world CA" \
	-addext "keyUsage=critical,keyCertSign" -keyout ca.key -out ca.pem 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=localhost" \
	-keyout key.pem -out server.csr 2>/dev/null
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -extfile extensions \
	-out cert.pem 2>/dev/null
