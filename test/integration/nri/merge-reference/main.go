// merge-reference: what the adaptation of github.com/containerd/nri makes of the answers of plugins.
//
// Reads one case a line, JSON, from stdin and writes one result a line. Messages are base64 of their encoding.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/containerd/nri/pkg/adaptation"
	"github.com/containerd/nri/pkg/adaptation/builtin"
	"github.com/containerd/nri/pkg/api"
	"github.com/containerd/nri/pkg/log"
	validator "github.com/containerd/nri/plugins/default-validator/builtin"
	"google.golang.org/protobuf/proto"
)

type testCase struct {
	Call    string // create, update or stop
	Request []byte
	Answers []struct {
		Name, Index string
		Response    []byte
	}
	Validator *validator.DefaultValidatorConfig
}

// result is a refusal, or the merged answer. Validation and Seen are a creation's: what a validator is asked, and what the next
// plugin would be.
type result struct {
	Error      string `json:"error,omitempty"`
	Panic      string `json:"panic,omitempty"`
	Adjust     []byte `json:"adjust,omitempty"`
	Update     []byte `json:"update,omitempty"`
	Own        []byte `json:"own,omitempty"`
	Validation []byte `json:"validation,omitempty"`
	Seen       []byte `json:"seen,omitempty"`
}

type silent struct{}

func (silent) Debugf(context.Context, string, ...interface{}) {}
func (silent) Infof(context.Context, string, ...interface{})  {}
func (silent) Warnf(context.Context, string, ...interface{})  {}
func (silent) Errorf(context.Context, string, ...interface{}) {}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func encoded(message proto.Message) []byte {
	bytes, err := proto.Marshal(message)
	must(err)
	return bytes
}

func decoded[T any, M interface {
	*T
	proto.Message
}](bytes []byte) M {
	message := M(new(T))
	must(proto.Unmarshal(bytes, message))
	return message
}

// start has an adaptation with a plugin for each answer, and the witnesses after them.
func start(one testCase, got *result) *adaptation.Adaptation {
	plugins := []*builtin.BuiltinPlugin{}
	for _, answer := range one.Answers {
		handlers := builtin.BuiltinHandlers{}
		switch one.Call {
		case "create":
			handlers.CreateContainer = func(context.Context, *api.CreateContainerRequest) (*api.CreateContainerResponse, error) {
				return decoded[api.CreateContainerResponse](answer.Response), nil
			}
		case "update":
			handlers.UpdateContainer = func(context.Context, *api.UpdateContainerRequest) (*api.UpdateContainerResponse, error) {
				return decoded[api.UpdateContainerResponse](answer.Response), nil
			}
		case "stop":
			handlers.StopContainer = func(context.Context, *api.StopContainerRequest) (*api.StopContainerResponse, error) {
				return decoded[api.StopContainerResponse](answer.Response), nil
			}
		}
		plugins = append(plugins, &builtin.BuiltinPlugin{Base: answer.Name, Index: answer.Index, Handlers: handlers})
	}
	plugins = append(plugins, &builtin.BuiltinPlugin{Base: "witness", Index: "99", Handlers: builtin.BuiltinHandlers{
		CreateContainer: func(_ context.Context, request *api.CreateContainerRequest) (*api.CreateContainerResponse, error) {
			got.Seen = encoded(request)
			return nil, nil
		},
		UpdateContainer: func(_ context.Context, request *api.UpdateContainerRequest) (*api.UpdateContainerResponse, error) {
			got.Seen = encoded(request)
			return nil, nil
		},
		ValidateContainerAdjustment: func(_ context.Context, request *api.ValidateContainerAdjustmentRequest) error {
			got.Validation = encoded(request)
			return nil
		},
	}})
	none, err := os.MkdirTemp("", "merge-reference")
	must(err)
	defer os.RemoveAll(none)
	sync := func(ctx context.Context, callback adaptation.SyncCB) error {
		_, err := callback(ctx, nil, nil)
		return err
	}
	update := func(context.Context, []*api.ContainerUpdate) ([]*api.ContainerUpdate, error) { return nil, nil }
	runtime, err := adaptation.New("reference", "1", sync, update, adaptation.WithPluginPath(none), adaptation.WithPluginConfigPath(none),
		adaptation.WithDisabledExternalConnections(), adaptation.WithBuiltinPlugins(plugins...), adaptation.WithDefaultValidator(one.Validator))
	must(err)
	must(runtime.Start())
	return runtime
}

func run(one testCase) (got result) {
	defer func() {
		if reason := recover(); reason != nil {
			got = result{Panic: fmt.Sprint(reason)}
		}
	}()
	runtime := start(one, &got)
	defer runtime.Stop()
	refused := func(err error) result { return result{Error: err.Error()} }
	switch one.Call {
	case "create":
		response, err := runtime.CreateContainer(context.Background(), decoded[api.CreateContainerRequest](one.Request))
		if err != nil {
			return refused(err)
		}
		got.Adjust = encoded(response.Adjust)
		got.Update = encoded(&api.UpdateContainerResponse{Update: response.Update})
	case "update":
		response, err := runtime.UpdateContainer(context.Background(), decoded[api.UpdateContainerRequest](one.Request))
		if err != nil {
			return refused(err)
		}
		others := len(response.Update) - 1
		if own := response.Update[others]; own != nil {
			got.Own = encoded(own)
		}
		got.Update = encoded(&api.UpdateContainerResponse{Update: response.Update[:others]})
	case "stop":
		response, err := runtime.StopContainer(context.Background(), decoded[api.StopContainerRequest](one.Request))
		if err != nil {
			return refused(err)
		}
		got.Update = encoded(&api.UpdateContainerResponse{Update: response.Update})
	}
	return got
}

func main() {
	log.Set(silent{})
	cases := bufio.NewScanner(os.Stdin)
	cases.Buffer(nil, 64<<20)
	results := json.NewEncoder(os.Stdout)
	for cases.Scan() {
		one := testCase{}
		must(json.Unmarshal(cases.Bytes(), &one))
		must(results.Encode(run(one)))
	}
	must(cases.Err())
}
