package platform

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/windows/svc"
)

const (
	// startTime is how long the manager waits for a daemon that starts, and says
	// nothing, before it calls it hung.
	startTime = 30 * time.Second
	// stopTime is above what a daemon takes to end with a ceremony under way.
	stopTime = 10 * time.Second
)

// exitFailed is the code of a service that ended by itself.
const exitFailed = 1

// served is the daemon as the service that this process is.
type served struct {
	do func(ctx context.Context, reload <-chan os.Signal) error
	// states are what the daemon says it does, see [Supervisor].
	states chan svc.State
	err    error // with which do ended
}

// serving is what this process is served as; nil: it is no service.
var serving atomic.Pointer[served]

// RunService has do run as the service for which the manager of services started
// this process, and returns once it has ended. The service runs from when do says
// so to its [Supervisor]. A stop, or the end of Windows, ends ctx; a parameter
// change (sc control authbridge paramchange) is a reload. do's own failure is in the
// event log.
//
// Who is started by hand gets an error at once: nobody is there to serve for.
func RunService(do func(ctx context.Context, reload <-chan os.Signal) error) error {
	s := &served{do: do, states: make(chan svc.State)}
	serving.Store(s)
	defer serving.Store(nil)
	if err := svc.Run(ServiceName, s); err != nil {
		return err
	}
	return s.err
}

// Execute is called by the manager's thread. What it returns is the exit code.
func (s *served) Execute(_ []string, orders <-chan svc.ChangeRequest, to chan<- svc.Status) (specific bool, code uint32) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	reload := make(chan os.Signal, 1)
	ended := make(chan error, 1)
	now := svc.Status{State: svc.StartPending, WaitHint: uint32(startTime.Milliseconds())}
	to <- now
	go func() { ended <- s.do(ctx, reload) }()
	for {
		select {
		case state := <-s.states:
			if ctx.Err() != nil {
				continue // what it says on its way out is no news
			}
			now = svc.Status{State: state, WaitHint: uint32(stopTime.Milliseconds())}
			if state == svc.Running {
				now = svc.Status{State: state, Accepts: svc.AcceptStop | svc.AcceptShutdown | svc.AcceptParamChange}
			}
			to <- now
		case order := <-orders:
			switch order.Cmd {
			case svc.Interrogate:
				to <- now
			case svc.Stop, svc.Shutdown:
				now = svc.Status{State: svc.StopPending, WaitHint: uint32(stopTime.Milliseconds())}
				to <- now
				stop()
			case svc.ParamChange:
				select {
				case reload <- syscall.SIGHUP:
				default: // one is on its way
				}
			}
		case err := <-ended:
			if err == nil || ctx.Err() != nil && errors.Is(err, context.Canceled) {
				return false, 0
			}
			s.err = err
			if send := Journal(); send != nil { // nobody reads what a service prints
				_ = send(3, err.Error(), nil)
			}
			return true, exitFailed
		}
	}
}
