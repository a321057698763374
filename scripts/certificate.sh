#!/bin/sh
# Makes cert.pem and key.pem in the directory $1: self-signed, ECDSA P-256, for localhost and 127.0.0.1.
# Whoever is to trust the certificate is given the file itself.
set -eu
umask 077
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
    -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
    -addext keyUsage=critical,digitalSignature,keyCertSign -addext extendedKeyUsage=serverAuth \
    -keyout "$1/key.pem" -out "$1/cert.pem"
