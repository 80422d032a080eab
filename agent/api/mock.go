package api

import (
	"context"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// mock is the mock of CIS2, or the refusal where it is off.
func (s *Server) mock() (Mock, error) {
	if s.config.Mock == nil {
		return nil, refuse(failure.MockOff, "", "this daemon runs no mock")
	}
	return s.config.Mock, nil
}

type mockOutput struct{ Body contract.Mock }

func (s *Server) getMock(ctx context.Context, _ *struct{}) (*mockOutput, error) {
	m, err := s.mock()
	if err != nil {
		return nil, err
	}
	state, err := m.State()
	if err != nil {
		return nil, err
	}
	for i, u := range state.Users {
		state.Users[i] = mockUserFor(ctx, u)
	}
	return &mockOutput{Body: state}, nil
}

func mockUserFor(ctx context.Context, u contract.MockUser) contract.MockUser {
	if mayIdentify(ctx) {
		return u
	}
	return u.Masked()
}

// MockUserID is exported because huma sees into no other embedded struct.
type MockUserID struct {
	UUID string `path:"uuid" pattern:"^[0-9]{12}$" doc:"of the user: 12 digits"`
}

type setMockUserInput struct {
	MockUserID
	Body contract.MockUserRequest
}

type mockUserOutput struct{ Body contract.MockUser }

func (s *Server) setMockUser(ctx context.Context, in *setMockUserInput) (*mockUserOutput, error) {
	m, err := s.mock()
	if err != nil {
		return nil, err
	}
	u, err := m.SetUser(in.UUID, in.Body)
	if err != nil {
		return nil, err
	}
	return &mockUserOutput{Body: mockUserFor(ctx, u)}, nil
}

type mockLogoutOutput struct{ Body contract.MockLogout }

type deleteMockUserInput struct {
	MockUserID
	Body *struct{}
}

func (s *Server) deleteMockUser(ctx context.Context, in *deleteMockUserInput) (*mockLogoutOutput, error) {
	m, err := s.mock()
	if err != nil {
		return nil, err
	}
	ended, err := m.DeleteUser(ctx, in.UUID)
	if err != nil {
		return nil, err
	}
	return &mockLogoutOutput{Body: ended}, nil
}

type mockFaultsInput struct{ Body contract.MockFaults }

type mockFaultsOutput struct{ Body []contract.MockFaults }

func (s *Server) setMockFaults(_ context.Context, in *mockFaultsInput) (*mockFaultsOutput, error) {
	m, err := s.mock()
	if err != nil {
		return nil, err
	}
	inForce, err := m.SetFaults(in.Body)
	if err != nil {
		return nil, err
	}
	return &mockFaultsOutput{Body: orEmpty(inForce)}, nil
}

type endMockSessionsInput struct {
	User string `query:"user" pattern:"^[0-9]{12}$" doc:"whose sessions; absent: everybody's"`
	Body *struct{}
}

func (s *Server) endMockSessions(ctx context.Context, in *endMockSessionsInput) (*mockLogoutOutput, error) {
	m, err := s.mock()
	if err != nil {
		return nil, err
	}
	ended, err := m.EndSessions(ctx, in.User)
	if err != nil {
		return nil, err
	}
	return &mockLogoutOutput{Body: ended}, nil
}

type mockKeysOutput struct{ Body contract.MockKeys }

func (s *Server) rotateMockKeys(context.Context, *struct{ Body *struct{} }) (*mockKeysOutput, error) {
	m, err := s.mock()
	if err != nil {
		return nil, err
	}
	keys, err := m.RotateKeys()
	if err != nil {
		return nil, err
	}
	return &mockKeysOutput{Body: keys}, nil
}
