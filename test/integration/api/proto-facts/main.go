// facts SERVICE: prints the facts of the proto file that declares the service (such as runtime.v1.RuntimeService) as JSON, in the form of
// test/support/proto-facts.ts. scripts/build-proto-facts.sh writes the go.mod and the import of the package beside it.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

type facts struct {
	Package string   `json:"package"`
	Enums   []string `json:"enums"`
	Fields  []string `json:"fields"`
	Rpcs    []string `json:"rpcs"`
}

func local(descriptor protoreflect.Descriptor) string {
	return strings.TrimPrefix(string(descriptor.FullName()), string(descriptor.ParentFile().Package())+".")
}

func typeOf(field protoreflect.FieldDescriptor) string {
	switch field.Kind() {
	case protoreflect.MessageKind:
		return local(field.Message())
	case protoreflect.EnumKind:
		return local(field.Enum())
	default:
		return field.Kind().String()
	}
}

func describe(field protoreflect.FieldDescriptor) string {
	words := []string{}
	oneof := field.ContainingOneof()
	switch {
	case field.IsMap():
		words = append(words, fmt.Sprintf("map<%s, %s>", typeOf(field.MapKey()), typeOf(field.MapValue())))
	case field.Cardinality() == protoreflect.Repeated:
		words = append(words, "repeated", typeOf(field))
	case oneof != nil && oneof.IsSynthetic():
		words = append(words, "optional", typeOf(field))
	default:
		words = append(words, typeOf(field))
	}
	words = append(words, fmt.Sprintf("%s = %d", field.Name(), field.Number()))
	if oneof != nil && !oneof.IsSynthetic() {
		words = append(words, "in "+string(oneof.Name()))
	}
	if field.IsPacked() {
		words = append(words, "packed")
	}
	if field.Options().(*descriptorpb.FieldOptions).GetDeprecated() {
		words = append(words, "deprecated")
	}
	return strings.Join(words, " ")
}

func (f *facts) addEnums(enums protoreflect.EnumDescriptors) {
	for i := range enums.Len() {
		for j := range enums.Get(i).Values().Len() {
			value := enums.Get(i).Values().Get(j)
			f.Enums = append(f.Enums, fmt.Sprintf("%s: %s = %d", local(enums.Get(i)), value.Name(), value.Number()))
		}
	}
}

func (f *facts) addMessages(messages protoreflect.MessageDescriptors) {
	for i := range messages.Len() {
		message := messages.Get(i)
		if message.IsMapEntry() {
			continue
		}
		if message.Fields().Len() == 0 {
			f.Fields = append(f.Fields, local(message))
		}
		for j := range message.Fields().Len() {
			f.Fields = append(f.Fields, local(message)+": "+describe(message.Fields().Get(j)))
		}
		f.addEnums(message.Enums())
		f.addMessages(message.Messages())
	}
}

func (f *facts) addServices(services protoreflect.ServiceDescriptors) {
	stream := map[bool]string{true: "stream "}
	for i := range services.Len() {
		for j := range services.Get(i).Methods().Len() {
			method := services.Get(i).Methods().Get(j)
			f.Rpcs = append(f.Rpcs, fmt.Sprintf("%s: %s(%s%s) %s%s", services.Get(i).Name(), method.Name(),
				stream[method.IsStreamingClient()], local(method.Input()), stream[method.IsStreamingServer()], local(method.Output())))
		}
	}
}

func main() {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(os.Args[1]))
	if err != nil {
		panic(err)
	}
	file := found.ParentFile()
	f := facts{Package: string(file.Package())}
	f.addEnums(file.Enums())
	f.addMessages(file.Messages())
	f.addServices(file.Services())
	sort.Strings(f.Enums)
	sort.Strings(f.Fields)
	sort.Strings(f.Rpcs)
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(f); err != nil {
		panic(err)
	}
}
