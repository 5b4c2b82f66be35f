package storage

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/files"
	"github.com/keyrack-dev/keyrack/pgstore"
)

// checkSecrets applies the rule of package files to the files that a database's URL and
// environment name: that of passwords, and that of the key of a client's certificate.
func (u URL) checkSecrets() error {
	for _, one := range []struct{ parameter, variable, initial, what, elsewhere string }{
		{"passfile", "PGPASSFILE", initialPassfile(), "the file of database passwords", "set PGPASSWORD"},
		{"sslkey", "PGSSLKEY", "", "the key of the client's certificate", "name another file with sslkey="},
	} {
		path := one.initial
		if set := os.Getenv(one.variable); set != "" {
			path = set
		}
		if parsed, err := url.Parse(u.at); err == nil && parsed.Query().Has(one.parameter) {
			path = parsed.Query().Get(one.parameter)
		}
		if path == "" {
			continue
		}
		warning, err := files.Guarded{What: one.what, Elsewhere: one.elsewhere}.Check(path)
		if err != nil {
			return err
		}
		u.warn(warning)
	}
	return nil
}

// initialPassfile is where pgx looks where nothing names a file.
func initialPassfile() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".pgpass")
}

// diagnoseWithin bounds the second connection, which is made to see why the first failed.
const diagnoseWithin = 5 * time.Second

// explicable are the errors of a store that one more connection may explain.
var explicable = []error{pgstore.ErrUnreachable, pgstore.ErrDenied, pgstore.ErrBusy, pgstore.ErrOther}

// diagnose says of an error of opening a database what is wrong, as far as one more
// connection shows: the errors of a store do not quote their causes. What it returns
// unwraps to err and quotes neither the URL nor the database.
func diagnose(ctx context.Context, at string, err error) error {
	config, parsing := pgconn.ParseConfig(at)
	if parsing != nil {
		return told(err, reading(parsing))
	}
	if !slices.ContainsFunc(explicable, func(kind error) bool { return errors.Is(err, kind) }) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, diagnoseWithin)
	defer cancel()
	conn, connecting := pgconn.ConnectConfig(ctx, config)
	if connecting == nil {
		_ = conn.Close(ctx)
		return err
	}
	return told(err, connectionTrouble(connecting, config))
}

// told joins an error and what is to be said about it.
func told(err error, advice string) error {
	if advice == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, advice)
}

// reading says why a URL cannot be understood.
func reading(err error) string {
	text := err.Error() // it quotes the URL
	for part, advice := range map[string]string{
		"sslmode is invalid":              "sslmode must be disable, allow, prefer, require, verify-ca or verify-full",
		"target_session_attrs":            "target_session_attrs must be any, read-write, read-only, primary, standby or prefer-standby",
		"invalid port":                    "the port must be a number; " + encodePassword,
		"invalid connect_timeout":         "connect_timeout must be a number of seconds",
		"unable to read CA file":          "the file of sslrootcert cannot be read",
		"unable to read sslkey":           "the file of sslkey cannot be read",
		"service":                         "the service is in no service file",
		"unable to load X509":             "sslcert and sslkey are not a certificate and its key",
		`both "sslcert" and "sslkey" are`: "sslcert and sslkey go together",
	} {
		if strings.Contains(text, part) {
			return advice
		}
	}
	return "the URL cannot be understood; write postgres://USER@HOST:PORT/DATABASE, in which " + encodePassword
}

// connectionTrouble says why there is no connection.
func connectionTrouble(err error, config *pgconn.Config) string {
	var answer *pgconn.PgError
	var name *net.DNSError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verification *tls.CertificateVerificationError
	where := fmt.Sprintf("port %d", config.Port)
	switch {
	case errors.As(err, &answer):
		return answerTrouble(answer.Code)
	case errors.As(err, &name):
		return "the host in the URL has no address; look at its spelling and at DNS"
	case errors.As(err, &unknown):
		return "TLS: its certificate is signed by nobody known here; name the authority's file with sslrootcert="
	case errors.As(err, &host):
		return "TLS: its certificate is for another host name than the one in the URL"
	case errors.As(err, &invalid), errors.As(err, &verification):
		return "TLS: its certificate is not valid"
	case strings.Contains(err.Error(), "refused TLS"):
		return "it does not offer TLS; switch that on there, or say sslmode=disable if nobody can listen on the way"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused: nothing listens at " + where + " of that host"
	case errors.Is(err, syscall.ENOENT):
		return "there is no socket in the folder that the URL names; is PostgreSQL running?"
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return "no answer within the time; look at firewalls on the way to " + where
	}
	return ""
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

// answerTrouble says what a SQLSTATE means that comes instead of a connection.
func answerTrouble(code string) string {
	switch code {
	case "28P01":
		return "the password is wrong, or missing; " + encodePassword
	case "28000":
		return "its pg_hba.conf has no line that lets this user in from here"
	case "3D000":
		return "there is no such database; make it: createdb DATABASE"
	case "42704", "22023", "08P01":
		return "it does not know a parameter in the URL's query; remove what is misspelled there"
	case "53300":
		return "it has no connection left; raise its max_connections, or lower pool_max_conns in the URL"
	}
	return ""
}
