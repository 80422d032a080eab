package api

import (
	"bufio"
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"authbridge/agent/contract"
)

type checkLoginInput struct{ Body contract.LoginRequest }

// checkLogin begins nothing: a file with many runs is looked over before the
// first.
func (s *Server) checkLogin(ctx context.Context, in *checkLoginInput) (*struct{}, error) {
	request := in.Body
	if pin := takePIN(ctx); request.PIN != nil {
		request.PIN.Value = pin
	}
	return nil, s.config.Logins.Check(request) // which wipes it
}

type reportSuiteInput struct {
	Suite  string                   `query:"suite" required:"true" pattern:"^suite-[0-9a-f]{16}$" doc:"what the runs have in common"`
	Format contract.LoginReportForm `query:"format" enum:"json,junit,html" default:"json" doc:"json, junit (XML) or html"`
}

type streamedReport struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Policy      string `header:"Content-Security-Policy"`
	Body        func(huma.Context)
}

// reportSuite writes as it reads: a suite is many megabytes.
func (s *Server) reportSuite(ctx context.Context, in *reportSuiteInput) (*streamedReport, error) {
	write, kind, err := s.config.Logins.SuiteReport(ctx, callerOf(ctx).owner(), in.Suite, in.Format)
	if err != nil {
		return nil, err
	}
	ctx, release, err := s.hold(ctx)
	if err != nil {
		return nil, err
	}
	return &streamedReport{ContentType: kind, Disposition: attached(in.Suite, in.Format), Policy: reportPolicy, Body: func(h huma.Context) {
		defer release()
		_, w := humago.Unwrap(h)
		out := bufio.NewWriterSize(&patient{w, http.NewResponseController(w)}, reportPiece)
		err := write(ctx, out)
		if err == nil {
			err = out.Flush()
		}
		if err != nil {
			s.config.Log.WithError(err).WithField("request_id", contract.RequestID(ctx)).Warn("a report was broken off")
			panic(http.ErrAbortHandler) // so that nobody takes it for whole
		}
	}}, nil
}

// reportPiece is how much of a report is sent at a time, in octets.
const reportPiece = 64 << 10

// patient gives each write a deadline of its own, so that the server's does not
// end a report that is read.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
}

// Write writes.
func (p *patient) Write(b []byte) (int, error) {
	if err := p.control.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
		return 0, err
	}
	return p.ResponseWriter.Write(b)
}

// attached has a report saved as a file.
func attached(name string, form contract.LoginReportForm) string {
	ending := map[contract.LoginReportForm]string{contract.LoginReportJUnit: ".xml", contract.LoginReportHTML: ".html"}[form]
	if ending == "" {
		ending = ".json"
	}
	return `attachment; filename="` + word(name) + ending + `"`
}
