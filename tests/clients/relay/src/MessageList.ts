import { graphql } from 'relay-runtime';

export const list = graphql`
  fragment MessageList_conversation on Conversation
  @refetchable(queryName: "MessageListPaginationQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 20 }, cursor: { type: "String" }) {
    title
    messages(last: $count, before: $cursor) @connection(key: "MessageList_messages") {
      edges {
        node {
          ...MessageLine_message
        }
      }
    }
  }
`;

export const send = graphql`
  mutation MessageListSendMutation($input: MessageSendInput!, $connections: [ID!]!) {
    messageSend(input: $input) {
      message @appendNode(connections: $connections, edgeTypeName: "MessageEdge") {
        ...MessageLine_message
      }
      errors {
        code
        message
        path
      }
    }
  }
`;

export const events = graphql`
  subscription MessageListEventsSubscription($input: EventsInput) {
    events(input: $input) {
      __typename
      cursor
      ... on MessageSent {
        message {
          ...MessageLine_message
        }
      }
    }
  }
`;
