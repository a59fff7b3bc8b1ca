// GraphiQL, signed in. A sign-in link leads here with a token in the fragment, which no server ever sees; the token is
// kept for this tab alone.
(() => {
  const handed = new URLSearchParams(location.hash.slice(1)).get("token");
  if (handed) {
    sessionStorage.setItem("jackfield-token", handed);
    history.replaceState(null, "", location.pathname);
  }
  const token = sessionStorage.getItem("jackfield-token");
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const socket = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/graphql`;

  const first = `# Welcome to Jackfield${token ? ", you are signed in" : ". You are not signed in: put {\"Authorization\": \"Bearer …\"} into Headers"}.
#
# What this API can do stands under the book on the left.

query Me {
  viewer {
    user { id name role }
    workspace { slug name }
    isOperator
  }
}

subscription Live {
  events {
    __typename
    cursor
    ... on MessageSent {
      message { sequence body sender { name } }
    }
  }
}
`;

  const client = graphqlWs.createClient({ url: socket, lazy: true, connectionParams: headers });
  const fetcher = GraphiQL.createFetcher({ url: "/graphql", headers, wsClient: client });
  ReactDOM.createRoot(document.getElementById("graphiql")).render(
    React.createElement(GraphiQL, {
      fetcher,
      defaultQuery: first,
      defaultEditorToolsVisibility: "variables",
      shouldPersistHeaders: false,
    }),
  );
})();
