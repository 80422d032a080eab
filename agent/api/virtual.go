package api

import (
	"context"
	"net"
	"net/netip"
	"strconv"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// virtual is where virtual authenticators are handled, or the refusal where
// they are off.
func (s *Server) virtual() (Virtual, error) {
	if s.config.Virtual == nil {
		return nil, refuse(failure.VirtualOff, "", "this daemon runs with virtual authenticators off")
	}
	return s.config.Virtual, nil
}

type devicesOutput struct{ Body []contract.VirtualDevice }

type deviceOutput struct{ Body contract.VirtualDevice }

func (s *Server) listVirtual(context.Context, *struct{}) (*devicesOutput, error) {
	v, err := s.virtual()
	if err != nil {
		return nil, err
	}
	return &devicesOutput{Body: orEmpty(v.List())}, nil
}

// onDevice runs one order to a virtual device.
func (s *Server) onDevice(order func(Virtual) (contract.VirtualDevice, error)) (*deviceOutput, error) {
	v, err := s.virtual()
	if err != nil {
		return nil, err
	}
	device, err := order(v)
	if err != nil {
		return nil, err
	}
	return &deviceOutput{Body: device}, nil
}

type insertCardInput struct{ Body contract.VirtualInsert }

func (s *Server) insertCard(ctx context.Context, in *insertCardInput) (*deviceOutput, error) {
	if err := checkVPCD(in.Body.VPCD); err != nil {
		return nil, err
	}
	return s.onDevice(func(v Virtual) (contract.VirtualDevice, error) { return v.Insert(ctx, in.Body) })
}

// DeviceName is exported because huma sees into no other embedded struct.
type DeviceName struct {
	Name string `path:"name" maxLength:"128" doc:"of the virtual reader or key"`
}

type orderInput struct {
	DeviceName
	Body *struct{}
}

func (s *Server) removeCard(ctx context.Context, in *orderInput) (*deviceOutput, error) {
	return s.onDevice(func(v Virtual) (contract.VirtualDevice, error) { return v.Remove(ctx, in.Name) })
}

type swapCardInput struct {
	DeviceName
	Body contract.VirtualInsert
}

func (s *Server) swapCard(ctx context.Context, in *swapCardInput) (*deviceOutput, error) {
	if err := checkVPCD(in.Body.VPCD); err != nil {
		return nil, err
	}
	return s.onDevice(func(v Virtual) (contract.VirtualDevice, error) { return v.Swap(ctx, in.Name, in.Body) })
}

type plugKeyInput struct{ Body contract.VirtualPlug }

func (s *Server) plugKey(ctx context.Context, in *plugKeyInput) (*deviceOutput, error) {
	return s.onDevice(func(v Virtual) (contract.VirtualDevice, error) { return v.Plug(ctx, in.Body) })
}

func (s *Server) unplugKey(ctx context.Context, in *orderInput) (*deviceOutput, error) {
	return s.onDevice(func(v Virtual) (contract.VirtualDevice, error) { return v.Unplug(ctx, in.Name) })
}

func (s *Server) touchKey(ctx context.Context, in *orderInput) (*struct{}, error) {
	v, err := s.virtual()
	if err != nil {
		return nil, err
	}
	return nil, v.Touch(ctx, in.Name)
}

func (s *Server) deleteDevice(ctx context.Context, in *orderInput) (*struct{}, error) {
	v, err := s.virtual()
	if err != nil {
		return nil, err
	}
	return nil, v.Delete(ctx, in.Name)
}

type faultsInput struct {
	DeviceName
	Body []contract.Fault `maxItems:"16"`
}

func (s *Server) setCardFaults(ctx context.Context, in *faultsInput) (*deviceOutput, error) {
	return s.onDevice(func(v Virtual) (contract.VirtualDevice, error) {
		return v.SetFaults(ctx, contract.Smartcard, in.Name, in.Body)
	})
}

func (s *Server) setKeyFaults(ctx context.Context, in *faultsInput) (*deviceOutput, error) {
	return s.onDevice(func(v Virtual) (contract.VirtualDevice, error) {
		return v.SetFaults(ctx, contract.SecurityKey, in.Name, in.Body)
	})
}

// checkVPCD keeps the daemon from dialling into a network for a caller.
func checkVPCD(address string) error {
	if address == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(address)
	_, portErr := strconv.ParseUint(port, 10, 16)
	ip, ipErr := netip.ParseAddr(host)
	if err != nil || portErr != nil || host != "localhost" && (ipErr != nil || !ip.IsLoopback()) {
		return refuse(failure.BadRequest, "body.vpcd", "allowed: an address of this machine, such as 127.0.0.1:35963")
	}
	return nil
}
