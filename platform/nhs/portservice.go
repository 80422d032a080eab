package nhs

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// servicePorts are those on one of which NHS Port Service listens
// (domain/cis2.md 2.6).
var servicePorts = []string{"43487", "44213", "45031", "46478", "48853"}

// PortService is what answers on the ports of NHS Port Service.
type PortService struct {
	// Port is the first that answers as the service does; empty: none does.
	Port string
	// HTTP and HTTPS are how it answers.
	HTTP, HTTPS bool
	// Strangers are ports of the list on which something else answers.
	Strangers []string
	// Manager is what it says of Credential Management in the Windows session of
	// who asks.
	Manager Manager
}

// Manager is Credential Management by the word of the Port Service.
type Manager struct {
	Port    int  // 0: it named none
	Accepts bool // the port takes connections
	// Fault is the code that came in place of a port, for example PR30007.
	Fault string
	// Unknown is why neither came.
	Unknown string
}

// Asker asks NHS Port Service. The zero value asks the machine's own.
type Asker struct {
	// Ports are where it may be; nil are the five it uses.
	Ports []string
	// Bound is for all questions together; 0 is 3 s.
	Bound time.Duration
	// Alone is that this process belongs to no person's Windows session, so that
	// the service can name no Credential Management for it.
	Alone bool
}

// mostAnswer bounds an answer, in octets; one has about 100.
const mostAnswer = 16 << 10

// Ask asks on all ports at once, by http and https. It sends no credentials and
// follows no redirect, and of TLS it does not verify whose it is: it learns
// whether somebody is up, and hands over nothing.
func (a Asker) Ask(ctx context.Context) PortService {
	ports := a.Ports
	if ports == nil {
		ports = servicePorts
	}
	bound := a.Bound
	if bound == 0 {
		bound = 3 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	client := &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true, MaxResponseHeaderBytes: 16 << 10, Proxy: nil,
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above: nothing is handed over
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	type answer struct{ http, https, stranger bool }
	answers := make([]answer, len(ports))
	var all sync.WaitGroup
	for i, port := range ports {
		all.Go(func() {
			var other bool
			answers[i].http, answers[i].stranger = connects(ctx, client, "http", port)
			answers[i].https, other = connects(ctx, client, "https", port)
			answers[i].stranger = answers[i].stranger || other
		})
	}
	all.Wait()
	var s PortService
	for i, port := range ports {
		is := answers[i]
		switch {
		case (is.http || is.https) && s.Port == "":
			s.Port, s.HTTP, s.HTTPS = port, is.http, is.https
		case is.stranger && !is.http && !is.https:
			s.Strangers = append(s.Strangers, port)
		}
	}
	if s.Port != "" {
		scheme := "http"
		if !s.HTTP {
			scheme = "https"
		}
		s.Manager = a.manager(ctx, client, scheme, s.Port)
	}
	return s
}

// connects is whether the service answers at a port, or somebody else does.
func connects(ctx context.Context, client *http.Client, scheme, port string) (up, stranger bool) {
	status, body, err := get(ctx, client, scheme, port, "ConnectPRService")
	if err != nil {
		// Who speaks something else than was asked: TLS to a plain server, HTTP
		// to one that has none. Its other side says more.
		return false, false
	}
	up = isUp(status, body)
	return up, !up
}

// isUp judges the answer of ConnectPRService: 200 with its own statusCode, or a
// demand for a Windows sign-in, which is up too (domain/cis2.md 7.3).
func isUp(status int, body []byte) bool {
	if status == http.StatusUnauthorized {
		return true
	}
	var said struct {
		StatusCode json.RawMessage `json:"statusCode"`
	}
	return status == http.StatusOK && json.Unmarshal(body, &said) == nil && string(bytes.Trim(said.StatusCode, `"`)) == "200"
}

func (a Asker) manager(ctx context.Context, client *http.Client, scheme, port string) Manager {
	status, body, err := get(ctx, client, scheme, port, "GetPortNumber")
	if err != nil {
		return Manager{Unknown: "NHS Port Service did not say in time"}
	}
	m := readManager(status, body)
	switch {
	case m.Port != 0:
		var dialer net.Dialer
		if conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort("localhost", strconv.Itoa(m.Port))); err == nil {
			_ = conn.Close()
			m.Accepts = true
		}
	case m.Fault != "" && a.Alone:
		m = Manager{Unknown: "the daemon is a service of Windows and has no session with a Credential Management of its own"}
	}
	return m
}

// readManager reads the answer of GetPortNumber.
func readManager(status int, body []byte) Manager {
	var said struct {
		PortData struct {
			PortNumber json.RawMessage `json:"portNumber"`
		} `json:"portData"`
		Code string `json:"code"`
	}
	switch {
	case status == http.StatusUnauthorized:
		return Manager{Unknown: "NHS Port Service asks for a Windows sign-in, which the daemon does not do"}
	case json.Unmarshal(body, &said) != nil:
		return Manager{Unknown: "what NHS Port Service said is no JSON as it must be: status " + strconv.Itoa(status)}
	}
	if n, err := strconv.ParseUint(string(bytes.Trim(said.PortData.PortNumber, `"`)), 10, 16); err == nil && n > 0 {
		return Manager{Port: int(n)}
	}
	if isCode(said.Code) {
		return Manager{Fault: said.Code}
	}
	return Manager{Unknown: "NHS Port Service names neither a port nor a fault: status " + strconv.Itoa(status)}
}

// isCode is whether text can be shown as a code, such as PR30007.
func isCode(text string) bool {
	for _, r := range text {
		if (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' {
			return false
		}
	}
	return text != "" && len(text) <= 16
}

var errTooLong = errors.New("the answer is too long")

func get(ctx context.Context, client *http.Client, scheme, port, what string) (status int, body []byte, err error) {
	address := scheme + "://" + net.JoinHostPort("localhost", port) + "/PRS/" + what
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, mostAnswer+1))
	if err == nil && len(body) > mostAnswer {
		err = errTooLong
	}
	return response.StatusCode, body, err
}

// Running is whether NHS card software runs on this machine: its Port Service
// listens. It exists for Windows only.
func Running() bool { return onWindows && anyListens(servicePorts) }

func anyListens(ports []string) bool {
	for _, port := range ports {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", port), 200*time.Millisecond)
		if err == nil {
			_ = conn.Close()
			return true
		}
	}
	return false
}

// ownPort looks at the port of the daemon.
func ownPort(ctx context.Context, listen string) Port {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return Port{Neighbour: unknown[bool]("the daemon does not listen")}
	}
	p := Port{Own: port, NHS: IsPort(port)}
	other := "::1"
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		other = "127.0.0.1"
	}
	dialer := net.Dialer{Timeout: time.Second}
	if conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(other, port)); err == nil {
		_ = conn.Close()
		p.Neighbour = known(true)
	}
	return p
}
