// Command relying-party is an application that signs users in at CIS2, or at the
// mock of it: the code flow with PKCE, the level asked for and insisted on, and
// back-channel logout. It shows what a real one has to check.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "relying-party:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	port := flag.String("port", "17825", "port of this application on localhost")
	c := config{secret: "demo"}
	flag.StringVar(&c.issuer, "issuer", "http://localhost:17824/openam/oauth2/realms/root/realms/NHSIdentity/realms/Healthcare", "where users sign in")
	flag.StringVar(&c.client, "client", "000000000001.apps.national", "client id; its secret is in CLIENT_SECRET, or demo")
	flag.StringVar(&c.acr, "acr", "AAL3_ANY", "acr value that is asked for")
	flag.IntVar(&c.aal, "aal", 3, "assurance level below which nobody comes in")
	flag.Parse()
	if secret, given := os.LookupEnv("CLIENT_SECRET"); given {
		c.secret = secret
	}
	c.base = "http://localhost:" + *port
	app, err := newParty(ctx, c)
	if err != nil {
		return err
	}
	listeners, err := listen(*port)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(os.Stdout, "listening on", c.base)
	return serve(ctx, app.handler(), listeners)
}

// listen listens on both addresses that a browser may take for localhost.
func listen(port string) ([]net.Listener, error) {
	four, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		return nil, err
	}
	six, err := net.Listen("tcp", "[::1]:"+port)
	if err != nil {
		return []net.Listener{four}, nil //nolint:nilerr // this machine has no IPv6
	}
	return []net.Listener{four, six}, nil
}

func serve(ctx context.Context, h http.Handler, listeners []net.Listener) error {
	server := &http.Server{Handler: h, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second}
	ended := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { ended <- server.Serve(l) }()
	}
	select {
	case <-ctx.Done():
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		return server.Shutdown(end)
	case err := <-ended:
		return errors.Join(err, server.Close())
	}
}
